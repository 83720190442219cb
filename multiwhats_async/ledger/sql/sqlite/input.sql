-- The input of the runs of this process, by position. Temporary: nothing of it is worth an fsync,
-- and it is on disk all the same, so that a million rows take no memory.
CREATE TEMP TABLE IF NOT EXISTS input (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    message INTEGER NOT NULL,
    is_changed INTEGER NOT NULL,
    is_repeated INTEGER NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS temp.input_message ON input (run, message);
