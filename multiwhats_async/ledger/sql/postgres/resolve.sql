-- A run that has claimed it to send it again has lost it. What is to be sent after all is handed
-- out again with its chunk.
WITH resolved AS (
    UPDATE multiwhats_message
    SET
        state = :state, resting = 'pending',
        unknown_attempts = CASE :state WHEN 'accepted' THEN unknown_attempts ELSE 0 END,
        next_at = NULL, changed_at = clock_timestamp()
    WHERE id = :id AND (state = 'unknown' OR (state = 'claimed' AND resting = 'unknown'))
    RETURNING id, batch, state
)
UPDATE multiwhats_chunk AS chunk
SET is_done = false, due_at = clock_timestamp()
FROM resolved
WHERE resolved.state = 'pending' AND chunk.batch = resolved.batch
    AND resolved.id BETWEEN chunk.first_id AND chunk.last_id
