-- What a run loaded before its input was refused: it was never tried.
DELETE FROM message
WHERE +campaign = :campaign AND id > :last AND state = 'pending' AND attempts = 0
