-- Of two messages with one key the one that comes first is sent. Done twice it changes nothing.
INSERT INTO multiwhats_input (run, position, message, is_changed, is_repeated)
SELECT
    :run, new.position, message.id, message.digest IS DISTINCT FROM new.digest,
    row_number() OVER (PARTITION BY message.id ORDER BY new.position) > 1
        OR EXISTS (
            SELECT 1 FROM multiwhats_input AS old
            WHERE old.run = :run AND old.message = message.id AND old.position < new.position
        )
FROM unnest(:position::bigint[], :key::text[], :digest::bytea[]) AS new (position, key, digest)
    JOIN multiwhats_message AS message
        ON message.campaign = :campaign AND message.key = new.key COLLATE "C"
ON CONFLICT (run, position) DO NOTHING
