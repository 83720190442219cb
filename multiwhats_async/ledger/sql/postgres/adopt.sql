-- Messages of the input that were loaded before, and never handed to workers: the program that
-- was to do so has died, or sent them itself.
UPDATE multiwhats_message AS message
SET batch = :run
FROM multiwhats_input AS input
WHERE input.run = :run AND message.id = input.message AND message.batch <> :run
    AND NOT EXISTS (SELECT 1 FROM multiwhats_chunk AS chunk WHERE chunk.batch = message.batch)
