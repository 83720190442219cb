-- Who sends, the busiest first.
SELECT sender, count(*) AS messages
FROM message
WHERE +campaign = :campaign AND sender <> ''
GROUP BY sender
ORDER BY messages DESC, sender
LIMIT :count
