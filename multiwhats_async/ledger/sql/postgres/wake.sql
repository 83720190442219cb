-- Soon, and not now: a task that has just found the campaign paused may not have ended yet, and its
-- queue would take a second one for a double.
UPDATE multiwhats_chunk
SET due_at = clock_timestamp() + make_interval(secs => :delay), puts = 1
WHERE campaign = :campaign AND NOT is_done
