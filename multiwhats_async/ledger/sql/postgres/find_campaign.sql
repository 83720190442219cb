SELECT id FROM multiwhats_campaign WHERE name = :name
