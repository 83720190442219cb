-- The attempt provably came to nothing, and another follows: a crash in between loses no proof.
UPDATE message
SET state = :state, changed_at = :now
WHERE id = :id AND attempts = :attempts AND state = 'sending'
