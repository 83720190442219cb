SELECT chunk.id, campaign.name AS campaign
FROM multiwhats_chunk AS chunk
    JOIN multiwhats_campaign AS campaign ON campaign.id = chunk.campaign
WHERE chunk.batch = :run
ORDER BY chunk.id
