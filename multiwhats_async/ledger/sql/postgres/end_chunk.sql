-- Done is what holds nothing to send. The rest is due when its first message is, or soon: while
-- its task has not ended, an engine would take it for a double.
UPDATE multiwhats_chunk AS chunk
SET
    is_done = NOT rest.is_open,
    due_at = greatest(
        coalesce(rest.next_at, clock_timestamp()),
        clock_timestamp() + make_interval(secs => :delay)
    )
FROM (
    SELECT
        coalesce(bool_or(state IN ('pending', 'claimed', 'sending')), false) AS is_open,
        min(coalesce(next_at, changed_at)) FILTER (WHERE state = 'pending') AS next_at
    FROM multiwhats_message
    WHERE batch = :batch AND id BETWEEN :first_id AND :last_id
) AS rest
WHERE chunk.id = :chunk
