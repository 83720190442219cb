-- Who sends, the busiest first.
SELECT sender, count(*) AS messages
FROM multiwhats_message
WHERE campaign = :campaign AND sender <> ''
GROUP BY sender
ORDER BY messages DESC, sender COLLATE "C"
LIMIT :count
