UPDATE multiwhats_campaign
SET state = :state, because = :because, state_at = clock_timestamp()
WHERE id = :campaign
