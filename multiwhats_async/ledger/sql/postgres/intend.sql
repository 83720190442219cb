-- The intent: from its commit on, the message may be on its way. No row, no POST. An intent whose
-- commit was not heard of is written once more, and counted once.
UPDATE multiwhats_message AS message
SET state = 'sending', attempts = :attempts + 1, changed_at = clock_timestamp()
FROM multiwhats_campaign AS campaign
WHERE message.id = :id AND message.owner = :run
    AND (
        (message.state IN ('claimed', 'sending') AND message.attempts = :attempts)
        OR (message.state = 'sending' AND message.attempts = :attempts + 1)
    )
    AND campaign.id = message.campaign AND campaign.state = 'running'
