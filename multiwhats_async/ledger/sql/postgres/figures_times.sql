-- When a run has seen outcomes come in. What a person has resolved has that person's time, and is
-- left out: an accepted message without a receipt, or an error that says so (as json.dumps writes
-- it; within a text its quotes would be escaped). What is claimed rests where it was.
SELECT
    (
        SELECT extract(epoch FROM created_at)::float8 FROM multiwhats_campaign
        WHERE id = :campaign
    ) AS created_at,
    count(*) AS answered,
    min(seconds - elapsed) AS begun_at,
    max(seconds) AS ended_at,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    min(elapsed) FILTER (WHERE state = 'accepted') AS quickest,
    max(elapsed) FILTER (WHERE state = 'accepted') AS slowest
FROM (
    SELECT
        extract(epoch FROM message.changed_at)::float8 AS seconds, message.elapsed,
        CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END AS state,
        detail.receipt, detail.error
    FROM multiwhats_message AS message
        LEFT JOIN multiwhats_detail AS detail ON detail.message = message.id
    WHERE message.campaign = :campaign AND message.attempts > 0
) AS message
WHERE state IN ('accepted', 'rejected', 'unknown')
    AND NOT (state = 'accepted' AND receipt IS NULL)
    AND position('"cause": "Resolved"' IN coalesce(error, '')) = 0
