-- Messages of a block whose key stands for something else in the ledger.
SELECT
    input.position, message.key, message.sender, message.recipient, message.text, message.buttons
FROM multiwhats_input AS input JOIN multiwhats_message AS message ON message.id = input.message
WHERE input.run = :run AND input.position >= :first AND input.is_changed
ORDER BY input.position
