UPDATE message
SET
    state = :state,
    unknown_attempts = CASE :state WHEN 'accepted' THEN unknown_attempts ELSE 0 END,
    changed_at = :now
WHERE id = :id AND state = 'unknown'
