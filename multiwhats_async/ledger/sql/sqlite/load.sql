-- Idempotent: a key that the campaign has already keeps its row, and its state.
INSERT INTO message (
    campaign, key, digest, position, sender, has_own_sender, recipient, text, buttons, changed_at
)
VALUES (
    :campaign, :key, :digest, :position, :sender, :has_own_sender, :recipient, :text, :buttons, :now
)
ON CONFLICT (campaign, key) DO NOTHING
