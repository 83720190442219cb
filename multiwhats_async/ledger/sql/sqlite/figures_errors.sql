-- What was not accepted though it was tried, with why.
SELECT
    message.position, message.recipient, message.state, message.attempts, detail.error
FROM message LEFT JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND message.state IN ('pending', 'sending', 'rejected', 'unknown')
    AND message.attempts > 0
ORDER BY message.id
