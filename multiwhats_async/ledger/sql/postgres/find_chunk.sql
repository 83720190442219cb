SELECT chunk.campaign, chunk.batch, chunk.first_id, chunk.last_id, chunk.is_done
FROM multiwhats_chunk AS chunk
    JOIN multiwhats_campaign AS campaign ON campaign.id = chunk.campaign
WHERE chunk.id = :chunk AND campaign.name = :name
