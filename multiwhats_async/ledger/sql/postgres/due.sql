-- Chunks that hold messages to send, and that no queue may hold any more. Each time the wait is
-- doubled, so that a long queue is not filled with what stands in it.
WITH due AS (
    SELECT chunk.id, campaign.name AS campaign
    FROM multiwhats_chunk AS chunk
        JOIN multiwhats_campaign AS campaign ON campaign.id = chunk.campaign
    WHERE NOT chunk.is_done AND chunk.due_at <= clock_timestamp() AND campaign.state = 'running'
    ORDER BY chunk.due_at
    LIMIT :count
    FOR UPDATE OF chunk SKIP LOCKED
)
UPDATE multiwhats_chunk AS chunk
SET
    puts = chunk.puts + 1,
    due_at = clock_timestamp()
        + make_interval(secs => least(3600, :patience * 2 ^ least(chunk.puts, 10)))
FROM due
WHERE chunk.id = due.id
RETURNING chunk.id, due.campaign
