DELETE FROM temp.input WHERE run = :run
