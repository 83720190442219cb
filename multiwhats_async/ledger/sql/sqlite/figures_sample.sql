SELECT
    campaign.created_at, message.key, message.digest, message.sender, message.has_own_sender,
    message.recipient, message.text, message.buttons
FROM campaign LEFT JOIN message ON message.id = (
    SELECT id FROM message WHERE +campaign = :campaign ORDER BY id LIMIT 1
)
WHERE campaign.id = :campaign
