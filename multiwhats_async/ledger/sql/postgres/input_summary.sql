-- As summary.sql, of a run's input alone; a key that stands in it twice counts once.
SELECT
    count(*) FILTER (WHERE state = 'pending' AND attempts = 0) AS pending,
    count(*) FILTER (WHERE state = 'pending' AND attempts > 0) AS not_sent,
    count(*) FILTER (WHERE state = 'sending') AS in_flight,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    count(*) FILTER (WHERE state = 'rejected') AS rejected,
    count(*) FILTER (WHERE state = 'unknown') AS unknown,
    coalesce(sum(credits), 0) AS credits
FROM (
    SELECT
        CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END AS state,
        message.attempts, message.credits
    FROM multiwhats_input AS input
        JOIN multiwhats_message AS message ON message.id = input.message
    WHERE input.run = :run AND NOT input.is_repeated
) AS message
