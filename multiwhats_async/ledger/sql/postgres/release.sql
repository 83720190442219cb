-- What a run has claimed and not begun is free again.
UPDATE multiwhats_message SET state = resting WHERE owner = :run AND state = 'claimed'
