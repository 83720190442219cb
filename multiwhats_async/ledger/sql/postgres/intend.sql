-- The intents: from their commit on, the messages may be on their way. What is not returned is not
-- to be posted. An intent whose commit was not heard of is written once more, and counted once.
UPDATE multiwhats_message AS message
SET state = 'sending', attempts = move.attempts + 1, changed_at = clock_timestamp()
FROM unnest(:id::bigint[], :campaign::bigint[], :run::bigint[], :attempts::integer[])
    AS move (id, campaign, run, attempts)
WHERE message.id = move.id AND message.owner = move.run
    AND (
        (message.state IN ('claimed', 'sending') AND message.attempts = move.attempts)
        OR (message.state = 'sending' AND message.attempts = move.attempts + 1)
    )
    -- Asked of the move: joined with the messages it would lead through all of the campaign.
    AND move.campaign IN (SELECT id FROM multiwhats_campaign WHERE state = 'running')
RETURNING message.id
