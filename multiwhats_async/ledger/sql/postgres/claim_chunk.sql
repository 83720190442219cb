-- As claim.sql, of a chunk: what of it is pending, due, and held by nobody else.
WITH free AS (
    SELECT message.id
    FROM multiwhats_message AS message
    WHERE message.batch = :batch AND message.id > :after AND message.id <= :last_id
        AND (
            (message.state = 'pending' AND coalesce(message.next_at <= clock_timestamp(), true))
            OR (message.state = 'claimed' AND message.owner = :run)
        )
    ORDER BY message.id
    LIMIT :count
    FOR UPDATE OF message SKIP LOCKED
), taken AS (
    UPDATE multiwhats_message AS message
    SET
        state = 'claimed', owner = :run,
        resting = CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END
    FROM free
    WHERE message.id = free.id
    RETURNING message.*
)
SELECT
    position, false AS is_repeated, id, key, digest, sender, has_own_sender, recipient, text,
    buttons, resting AS state, attempts, unknown_attempts, NULL AS error, true AS is_taken
FROM taken
ORDER BY id
