UPDATE multiwhats_chunk
SET due_at = greatest(due_at, clock_timestamp() + make_interval(secs => :seconds))
WHERE id = :chunk
