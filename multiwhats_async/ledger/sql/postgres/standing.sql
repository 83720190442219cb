-- Which of these messages the campaign has already, and where they stand. What is claimed rests
-- where it was.
SELECT
    new.position, message.key, message.sender, message.recipient, message.text, message.buttons,
    message.attempts, message.digest IS DISTINCT FROM new.digest AS is_changed,
    CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END AS state
FROM unnest(:position::bigint[], :key::text[], :digest::bytea[]) AS new (position, key, digest)
    JOIN multiwhats_message AS message
        ON message.campaign = :campaign AND message.key = new.key COLLATE "C"
ORDER BY new.position
