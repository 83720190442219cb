-- Where there is nothing new to say, what was said last stays.
INSERT INTO detail (message, receipt, error) VALUES (:id, :receipt, :error)
ON CONFLICT (message) DO UPDATE SET
    receipt = excluded.receipt,
    error = CASE WHEN excluded.receipt IS NULL THEN coalesce(excluded.error, error) END
