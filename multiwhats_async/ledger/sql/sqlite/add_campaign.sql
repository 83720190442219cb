INSERT INTO campaign (name, created_at) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING
