-- Cut what was loaded into chunks. Done twice it adds nothing.
INSERT INTO multiwhats_chunk (campaign, batch, first_id, last_id, due_at)
SELECT
    :campaign, :run, min(id), max(id), clock_timestamp() + make_interval(secs => :patience)
FROM (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) / :size AS part
    FROM multiwhats_message
    WHERE campaign = :campaign AND batch = :run AND state IN ('pending', 'claimed')
) AS row
WHERE NOT EXISTS (SELECT 1 FROM multiwhats_chunk WHERE batch = :run)
GROUP BY part
ORDER BY part
