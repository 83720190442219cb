INSERT INTO multiwhats_campaign (name) VALUES (:name) ON CONFLICT (name) DO NOTHING
