DELETE FROM campaign
WHERE id = :campaign AND NOT EXISTS (SELECT 1 FROM message WHERE message.campaign = :campaign)
