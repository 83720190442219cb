SELECT
    run.worker,
    count(message.id) FILTER (WHERE message.state = 'claimed') AS claimed,
    count(message.id) FILTER (WHERE message.state = 'sending') AS sending,
    greatest(0, :lease - extract(epoch FROM run.alive_until - clock_timestamp()))::float8 AS silent
FROM multiwhats_run AS run
    LEFT JOIN multiwhats_message AS message
        ON message.owner = run.id AND message.state IN ('claimed', 'sending')
WHERE run.campaign = :campaign
GROUP BY run.id
ORDER BY run.id
