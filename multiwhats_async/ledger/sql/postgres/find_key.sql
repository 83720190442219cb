SELECT
    message.id, message.recipient, campaign.name AS campaign,
    CASE message.state WHEN 'claimed' THEN message.resting ELSE message.state END AS state
FROM multiwhats_message AS message
    JOIN multiwhats_campaign AS campaign ON campaign.id = message.campaign
WHERE message.key = :key AND (:campaign::text IS NULL OR campaign.name = :campaign)
ORDER BY message.id
