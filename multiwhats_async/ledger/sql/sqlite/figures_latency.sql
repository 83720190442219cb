-- The seconds of each accepted message, the quickest first. SQLite sorts on disk what is too much
-- for its cache.
SELECT message.elapsed
FROM message JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND message.attempts > 0
    AND message.state = 'accepted'
    AND detail.receipt IS NOT NULL
ORDER BY message.elapsed
