-- What runs hold whose lease is over. What was not begun is free again; what was being sent may
-- have gone out. Rows that somebody is writing are left to him.
WITH orphan AS (
    SELECT message.id, message.state
    FROM multiwhats_message AS message LEFT JOIN multiwhats_run AS run ON run.id = message.owner
    WHERE message.state IN ('claimed', 'sending')
        AND (run.id IS NULL OR run.alive_until < clock_timestamp())
    FOR UPDATE OF message SKIP LOCKED
)
UPDATE multiwhats_message AS message
SET
    state = CASE orphan.state WHEN 'sending' THEN 'unknown' ELSE message.resting END,
    unknown_attempts = message.unknown_attempts + (orphan.state = 'sending')::integer
FROM orphan
WHERE message.id = orphan.id
RETURNING message.id, message.recipient, message.attempts, orphan.state = 'sending' AS was_sending
