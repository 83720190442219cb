SELECT count(*) AS chunks FROM multiwhats_chunk WHERE campaign = :campaign AND NOT is_done
