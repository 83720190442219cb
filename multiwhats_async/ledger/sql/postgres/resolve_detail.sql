INSERT INTO multiwhats_detail (message, error, note) VALUES (:id, :error, :note)
ON CONFLICT (message) DO UPDATE SET error = excluded.error, note = excluded.note
