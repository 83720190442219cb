-- When a run has seen outcomes come in. What a person has resolved has that person's time, and is
-- left out: an accepted message without a receipt, or an error that says so (as json.dumps writes
-- it; within a text its quotes would be escaped).
SELECT
    (SELECT created_at FROM campaign WHERE id = :campaign) AS created_at,
    count(*) AS answered,
    min(message.changed_at - message.elapsed) AS begun_at,
    max(message.changed_at) AS ended_at,
    coalesce(sum(message.state = 'accepted'), 0) AS accepted,
    min(CASE message.state WHEN 'accepted' THEN message.elapsed END) AS quickest,
    max(CASE message.state WHEN 'accepted' THEN message.elapsed END) AS slowest
FROM message LEFT JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND message.attempts > 0
    AND message.state IN ('accepted', 'rejected', 'unknown')
    AND NOT (message.state = 'accepted' AND detail.receipt IS NULL)
    AND instr(coalesce(detail.error, ''), '"cause": "Resolved"') = 0
