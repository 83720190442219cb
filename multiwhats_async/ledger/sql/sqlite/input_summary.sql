-- As summary.sql, of a run's input alone; a key that stands in it twice counts once.
SELECT
    message.state, message.attempts > 0 AS is_tried, count(*) AS messages,
    sum(message.credits) AS credits
FROM temp.input CROSS JOIN message ON message.id = input.message
WHERE input.run = :run AND NOT input.is_repeated
GROUP BY 1, 2
