UPDATE message
SET state = 'unknown', unknown_attempts = unknown_attempts + 1
WHERE id = :id
