-- The attempt provably came to nothing, and another follows: a crash in between loses no proof.
UPDATE multiwhats_message
SET state = 'claimed', resting = 'pending', changed_at = clock_timestamp()
WHERE id = :id AND owner = :run AND attempts = :attempts AND state IN ('sending', 'claimed')
