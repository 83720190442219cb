SELECT id, name, state, because, extract(epoch FROM state_at)::float8 AS since
FROM multiwhats_campaign
WHERE id = :campaign
