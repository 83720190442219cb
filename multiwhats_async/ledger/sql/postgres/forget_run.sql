DELETE FROM multiwhats_run WHERE id = :run
