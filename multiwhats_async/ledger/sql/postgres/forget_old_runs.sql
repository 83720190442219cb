DELETE FROM multiwhats_run WHERE alive_until < clock_timestamp() - interval '1 day'
