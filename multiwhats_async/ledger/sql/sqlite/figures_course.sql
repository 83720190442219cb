-- How many outcomes came in while, in steps of so many seconds; of the messages of
-- figures_times.sql.
SELECT
    CAST((message.changed_at - :start) / :width AS INTEGER) AS step,
    sum(message.state = 'accepted') AS accepted,
    sum(message.state <> 'accepted') AS others
FROM message LEFT JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND message.attempts > 0
    AND message.state IN ('accepted', 'rejected', 'unknown')
    AND NOT (message.state = 'accepted' AND detail.receipt IS NULL)
    AND instr(coalesce(detail.error, ''), '"cause": "Resolved"') = 0
GROUP BY step
ORDER BY step
