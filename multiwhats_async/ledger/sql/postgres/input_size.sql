SELECT
    count(*) AS messages,
    count(*) FILTER (WHERE message.batch = :run AND NOT input.is_repeated) AS added
FROM multiwhats_input AS input JOIN multiwhats_message AS message ON message.id = input.message
WHERE input.run = :run
