DELETE FROM multiwhats_input WHERE run = :run
