-- Why a claim does not hold.
SELECT campaign.name, campaign.state, campaign.because
FROM multiwhats_message AS message
    JOIN multiwhats_campaign AS campaign ON campaign.id = message.campaign
WHERE message.id = :id
