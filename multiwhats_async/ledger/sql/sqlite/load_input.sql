-- Of two messages with one key the one that comes first is sent.
INSERT INTO temp.input (run, position, message, is_changed, is_repeated)
SELECT
    :run, :position, id, digest IS NOT :digest,
    EXISTS (SELECT 1 FROM temp.input WHERE run = :run AND message = id)
FROM message
WHERE campaign = :campaign AND key = :key
