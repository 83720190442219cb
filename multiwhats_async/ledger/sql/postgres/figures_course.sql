-- How many outcomes came in while, in steps of so many seconds; of the messages of
-- figures_times.sql.
SELECT
    floor((extract(epoch FROM changed_at)::float8 - :start) / :width)::bigint AS step,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    count(*) FILTER (WHERE state <> 'accepted') AS others
FROM (
    SELECT
        message.changed_at,
        CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END AS state,
        detail.receipt, detail.error
    FROM multiwhats_message AS message
        LEFT JOIN multiwhats_detail AS detail ON detail.message = message.id
    WHERE message.campaign = :campaign AND message.attempts > 0
) AS message
WHERE state IN ('accepted', 'rejected', 'unknown')
    AND NOT (state = 'accepted' AND receipt IS NULL)
    AND position('"cause": "Resolved"' IN coalesce(error, '')) = 0
GROUP BY step
ORDER BY step
