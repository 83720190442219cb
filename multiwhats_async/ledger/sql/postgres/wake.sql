UPDATE multiwhats_chunk
SET due_at = clock_timestamp(), puts = 1
WHERE campaign = :campaign AND NOT is_done
