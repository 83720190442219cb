-- A page of outcomes. What is claimed rests where it was.
SELECT
    message.id, message.position, message.key, message.digest, message.sender,
    message.has_own_sender, message.recipient, message.text, message.buttons, message.state,
    message.attempts, message.unknown_attempts, message.elapsed, detail.receipt, detail.error,
    detail.note
FROM (
    SELECT
        id, position, key, digest, sender, has_own_sender, recipient, text, buttons, attempts,
        unknown_attempts, elapsed,
        CASE state WHEN 'claimed' THEN resting ELSE state END AS state
    FROM multiwhats_message
    WHERE campaign = :campaign AND id > :after
    ORDER BY campaign, id
) AS message
    LEFT JOIN multiwhats_detail AS detail ON detail.message = message.id
WHERE :state::text IS NULL OR message.state = :state OR message.state = :or_state
ORDER BY message.id
LIMIT :count
