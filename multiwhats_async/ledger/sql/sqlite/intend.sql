-- The intent: from its commit on, the message may be on its way. No row, no POST.
UPDATE message
SET state = :state, attempts = attempts + 1, changed_at = :now
WHERE id = :id AND attempts = :attempts AND state = :expected
