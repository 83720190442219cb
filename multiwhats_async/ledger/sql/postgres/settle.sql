-- Outcomes, each fenced by the run and the attempt that it belongs to: late as it may be, it turns
-- what was called unknown meanwhile into what it is. One whose commit was not heard of is written
-- once more. An intent that no attempt followed does not count as one.
WITH move AS (
    SELECT *
    FROM unnest(
        :id::bigint[], :run::bigint[], :attempts::integer[], :state::text[], :made::integer[],
        :unknown_attempts::integer[], :credits::float8[], :elapsed::float8[], :receipt::text[],
        :error::text[]
    ) AS move (
        id, run, attempts, state, made, unknown_attempts, credits, elapsed, receipt, error
    )
), settled AS (
    UPDATE multiwhats_message AS message
    SET
        state = move.state, attempts = move.made, unknown_attempts = move.unknown_attempts,
        credits = move.credits, elapsed = move.elapsed, changed_at = clock_timestamp(),
        next_at = CASE WHEN move.state = 'pending' AND move.made > 0 THEN
            clock_timestamp() + make_interval(secs => least(300, 5 * 2 ^ least(move.made, 6)))
        END
    FROM move
    WHERE message.id = move.id AND message.owner = move.run
        AND (
            (message.attempts = move.attempts AND message.state IN ('sending', 'claimed', 'unknown'))
            OR (message.attempts = move.made AND message.state = move.state)
        )
    RETURNING move.id, move.receipt, move.error
)
INSERT INTO multiwhats_detail (message, receipt, error)
SELECT id, receipt, error FROM settled
-- Where there is nothing new to say, what was said last stays.
ON CONFLICT (message) DO UPDATE SET
    receipt = excluded.receipt,
    error = CASE WHEN excluded.receipt IS NULL THEN
        coalesce(excluded.error, multiwhats_detail.error)
    END
RETURNING message AS id
