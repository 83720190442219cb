-- What was not accepted though it was tried, with why. What is claimed rests where it was.
SELECT message.position, message.recipient, message.state, message.attempts, detail.error
FROM (
    SELECT
        id, position, recipient, attempts,
        CASE state WHEN 'claimed' THEN resting ELSE state END AS state
    FROM multiwhats_message
    WHERE campaign = :campaign AND attempts > 0
) AS message
    LEFT JOIN multiwhats_detail AS detail ON detail.message = message.id
WHERE message.state IN ('pending', 'sending', 'rejected', 'unknown')
ORDER BY message.id
