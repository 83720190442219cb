-- The outcome, fenced by the attempt that it belongs to.
UPDATE message
SET
    state = :state, unknown_attempts = :unknown_attempts, credits = :credits, elapsed = :elapsed,
    changed_at = :now
WHERE id = :id AND attempts = :attempts AND state IN ('sending', 'pending', 'unknown')
