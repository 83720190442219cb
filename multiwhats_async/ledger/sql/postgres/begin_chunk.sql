-- A worker has it: it is not lost in the queue.
UPDATE multiwhats_chunk
SET due_at = clock_timestamp() + make_interval(secs => :lease)
WHERE id = :chunk
