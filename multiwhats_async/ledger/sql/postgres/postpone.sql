-- Attempts provably came to nothing, and others follow: a crash in between loses no proof.
UPDATE multiwhats_message AS message
SET state = 'claimed', resting = 'pending', changed_at = clock_timestamp()
FROM unnest(:id::bigint[], :run::bigint[], :attempts::integer[]) AS move (id, run, attempts)
WHERE message.id = move.id AND message.owner = move.run AND message.attempts = move.attempts
    AND message.state IN ('sending', 'claimed')
RETURNING message.id
