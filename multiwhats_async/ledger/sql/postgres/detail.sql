INSERT INTO multiwhats_detail (message, receipt, error) VALUES (:id, :receipt, :error)
ON CONFLICT (message) DO UPDATE SET receipt = excluded.receipt, error = excluded.error
