-- The next messages of a run, in the order of its input, as one text: see Session.fetch_together.
-- One file has one owner: reading is enough, and no row needs a lease.
SELECT
    json_group_array(
        json_object(
            'position', position, 'is_repeated', is_repeated, 'id', id, 'key', key,
            'digest', digest, 'sender', sender, 'has_own_sender', has_own_sender,
            'recipient', recipient, 'text', text, 'buttons', buttons, 'state', state,
            'attempts', attempts, 'unknown_attempts', unknown_attempts, 'error', error
        )
    )
FROM (
    SELECT
        input.position, input.is_repeated, message.id, message.key, message.sender,
        CASE WHEN message.digest IS NOT NULL THEN hex(message.digest) END AS digest,
        message.has_own_sender, message.recipient, message.text, message.buttons, message.state,
        message.attempts, message.unknown_attempts, detail.error
    FROM temp.input
        CROSS JOIN message ON message.id = input.message
        LEFT JOIN detail ON detail.message = message.id AND message.state = 'unknown'
    WHERE input.run = :run AND input.position > :after
    ORDER BY input.position
    LIMIT :count
)
