-- The next messages of a run, in the order of its input. Those that it may send are its own from
-- here on; those that another run holds are passed over. What it has claimed before, in a
-- transaction of which it never heard the end, is its own already. A row whose message is gone
-- has no id. A run that has stopped only looks: nothing is taken, and is_taken is NULL.
WITH block AS (
    SELECT position, message, is_repeated
    FROM multiwhats_input
    WHERE run = :run AND position > :after
    ORDER BY position
    LIMIT :count
), free AS (
    SELECT message.id, message.state
    FROM multiwhats_message AS message JOIN block ON block.message = message.id
    WHERE :to_send AND NOT block.is_repeated
        AND (
            (message.state = 'pending' AND (message.attempts > 0 OR NOT :only_failed))
            OR (message.state = 'unknown' AND :resend_unknown)
            OR (message.state = 'rejected' AND :only_failed)
            OR (message.state = 'claimed' AND message.owner = :run)
        )
    FOR UPDATE OF message SKIP LOCKED
), taken AS (
    UPDATE multiwhats_message AS message
    SET
        state = 'claimed', owner = :run,
        resting = CASE free.state WHEN 'claimed' THEN message.resting ELSE free.state END
    FROM free
    WHERE message.id = free.id
    RETURNING message.id, message.resting, message.attempts, message.unknown_attempts
)
SELECT
    block.position, block.is_repeated, message.id, message.key, message.digest, message.sender,
    message.has_own_sender, message.recipient, message.text, message.buttons,
    coalesce(
        taken.resting,
        CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END
    ) AS state,
    coalesce(taken.attempts, message.attempts) AS attempts,
    coalesce(taken.unknown_attempts, message.unknown_attempts) AS unknown_attempts,
    detail.error,
    CASE WHEN :to_send THEN taken.id IS NOT NULL AND NOT block.is_repeated END AS is_taken
FROM block
    LEFT JOIN multiwhats_message AS message ON message.id = block.message
    LEFT JOIN taken ON taken.id = message.id
    LEFT JOIN multiwhats_detail AS detail
        ON detail.message = message.id
            AND (message.state = 'unknown' OR message.resting = 'unknown')
ORDER BY block.position
