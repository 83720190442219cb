DELETE FROM multiwhats_campaign AS campaign
WHERE campaign.id = :campaign
    AND NOT EXISTS (SELECT 1 FROM multiwhats_message WHERE campaign = :campaign)
    AND NOT EXISTS (SELECT 1 FROM multiwhats_run WHERE campaign = :campaign AND id <> :run)
