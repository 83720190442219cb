-- What was under way in a run that is no more.
SELECT id, recipient, attempts
FROM message
WHERE state = 'sending' AND (:campaign IS NULL OR campaign = :campaign)
ORDER BY id
