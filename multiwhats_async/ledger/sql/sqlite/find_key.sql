SELECT message.id, message.state, message.recipient, campaign.name AS campaign
FROM message JOIN campaign ON campaign.id = message.campaign
WHERE message.key = :key AND (:campaign IS NULL OR campaign.name = :campaign)
