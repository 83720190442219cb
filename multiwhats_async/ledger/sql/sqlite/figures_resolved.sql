-- What a person has found out, with what is to be remembered of it; and how many there are.
SELECT
    message.position, message.recipient, message.state, detail.note, count(*) OVER () AS messages
FROM message JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND (
        (message.state = 'accepted' AND detail.receipt IS NULL)
        OR instr(coalesce(detail.error, ''), '"cause": "Resolved"') > 0
    )
ORDER BY message.id
LIMIT :count
