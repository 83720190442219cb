-- The outcome, fenced by the attempt that it belongs to. An intent that no attempt followed does
-- not count as one.
UPDATE message
SET
    state = :state, attempts = :made, unknown_attempts = :unknown_attempts, credits = :credits,
    elapsed = :elapsed, changed_at = :now
WHERE id = :id AND attempts = :attempts AND state IN ('sending', 'pending', 'unknown')
