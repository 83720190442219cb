UPDATE multiwhats_run
SET alive_until = clock_timestamp() + make_interval(secs => :lease)
WHERE id = ANY(:runs)
