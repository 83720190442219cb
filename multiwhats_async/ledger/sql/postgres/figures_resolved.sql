-- What a person has found out, with what is to be remembered of it; and how many there are.
SELECT
    message.position, message.recipient, message.state, detail.note, count(*) OVER () AS messages
FROM (
    SELECT
        id, position, recipient, CASE state WHEN 'claimed' THEN resting ELSE state END AS state
    FROM multiwhats_message
    WHERE campaign = :campaign
) AS message
    JOIN multiwhats_detail AS detail ON detail.message = message.id
WHERE (message.state = 'accepted' AND detail.receipt IS NULL)
    OR position('"cause": "Resolved"' IN coalesce(detail.error, '')) > 0
ORDER BY message.id
LIMIT :count
