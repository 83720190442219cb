-- The seconds of each accepted message, the quickest first. They are sorted by the server, and
-- fetched some at a time.
SELECT message.elapsed
FROM multiwhats_message AS message JOIN multiwhats_detail AS detail ON detail.message = message.id
WHERE message.campaign = :campaign
    AND message.attempts > 0
    AND message.state = 'accepted'
    AND detail.receipt IS NOT NULL
ORDER BY message.elapsed
