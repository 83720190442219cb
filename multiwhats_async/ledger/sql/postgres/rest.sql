-- What a run that was cancelled has not claimed of its input.
SELECT
    message.state, message.attempts > 0 AS is_tried, input.is_repeated, count(*) AS messages
FROM multiwhats_input AS input JOIN multiwhats_message AS message ON message.id = input.message
WHERE input.run = :run AND input.position > :after
GROUP BY 1, 2, 3
