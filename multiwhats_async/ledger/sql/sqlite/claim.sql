-- The next messages of a run, in the order of its input. One file has one owner: reading is
-- enough, and no row needs a lease.
SELECT
    input.position, input.is_repeated, message.id, message.key, message.digest, message.sender,
    message.has_own_sender, message.recipient, message.text, message.buttons, message.state,
    message.attempts, message.unknown_attempts, detail.error
FROM temp.input
    CROSS JOIN message ON message.id = input.message
    LEFT JOIN detail ON detail.message = message.id AND message.state = 'unknown'
WHERE input.run = :run AND input.position > :after
ORDER BY input.position
LIMIT :count
