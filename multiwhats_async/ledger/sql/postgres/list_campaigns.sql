SELECT name FROM multiwhats_campaign ORDER BY id
