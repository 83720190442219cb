-- The outcome, fenced by the run and the attempt that it belongs to: late as it may be, it turns
-- what was called unknown meanwhile into what it is. One whose commit was not heard of is written
-- once more. An intent that no attempt followed does not count as one.
WITH settled AS (
    UPDATE multiwhats_message
    SET
        state = :state, attempts = :made, unknown_attempts = :unknown_attempts,
        credits = :credits, elapsed = :elapsed, changed_at = clock_timestamp(),
        next_at = CASE :state
            WHEN 'pending' THEN
                clock_timestamp() + make_interval(secs => least(300, 5 * 2 ^ least(:made, 6)))
        END
    WHERE id = :id AND owner = :run
        AND (
            (attempts = :attempts AND state IN ('sending', 'claimed', 'unknown'))
            OR (attempts = :made AND state = :state)
        )
    RETURNING id
)
INSERT INTO multiwhats_detail (message, receipt, error)
SELECT id, :receipt, :error FROM settled
ON CONFLICT (message) DO UPDATE SET receipt = excluded.receipt, error = excluded.error
