INSERT INTO multiwhats_run (campaign, worker, alive_until)
VALUES (:campaign, :worker, clock_timestamp() + make_interval(secs => :lease))
RETURNING id
