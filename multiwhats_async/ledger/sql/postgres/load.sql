-- Idempotent: a key that the campaign has already keeps its row, and its state.
INSERT INTO multiwhats_message (
    campaign, batch, position, key, digest, sender, has_own_sender, recipient, text, buttons
)
SELECT
    :campaign, :run, new.position, new.key, new.digest, new.sender, new.has_own_sender,
    new.recipient, new.text, new.buttons
FROM unnest(
    :position::bigint[], :key::text[], :digest::bytea[], :sender::text[],
    :has_own_sender::boolean[], :recipient::text[], :text::text[], :buttons::text[]
) AS new (position, key, digest, sender, has_own_sender, recipient, text, buttons)
ORDER BY new.position
ON CONFLICT (campaign, key) DO NOTHING
