-- As summary.sql, of a run's input alone; a key that stands in it twice counts once.
SELECT
    coalesce(sum(message.state = 'pending' AND message.attempts = 0), 0) AS pending,
    coalesce(sum(message.state = 'pending' AND message.attempts > 0), 0) AS not_sent,
    coalesce(sum(message.state = 'sending'), 0) AS in_flight,
    coalesce(sum(message.state = 'accepted'), 0) AS accepted,
    coalesce(sum(message.state = 'rejected'), 0) AS rejected,
    coalesce(sum(message.state = 'unknown'), 0) AS unknown,
    coalesce(sum(message.credits), 0.0) AS credits
FROM temp.input CROSS JOIN message ON message.id = input.message
WHERE input.run = :run AND NOT input.is_repeated
