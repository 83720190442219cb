-- What a run loaded before its input was refused: it was never tried, and no other run has it in
-- its input.
DELETE FROM multiwhats_message AS message
WHERE message.campaign = :campaign AND message.batch = :run
    AND message.state = 'pending' AND message.attempts = 0
    AND NOT EXISTS (
        SELECT 1 FROM multiwhats_input AS input
        WHERE input.message = message.id AND input.run <> :run
    )
    AND NOT EXISTS (SELECT 1 FROM multiwhats_chunk AS chunk WHERE chunk.batch = :run)
