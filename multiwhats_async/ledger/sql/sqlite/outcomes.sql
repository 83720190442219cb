-- A page of outcomes. The plus keeps the planner on the order of ids: by the index of keys it
-- would sort the whole campaign for every page.
SELECT
    message.id, message.position, message.key, message.digest, message.sender,
    message.has_own_sender, message.recipient, message.text, message.buttons, message.state,
    message.attempts, message.unknown_attempts, message.elapsed, detail.receipt, detail.error,
    detail.note
FROM message LEFT JOIN detail ON detail.message = message.id
WHERE +message.campaign = :campaign
    AND message.id > :after
    AND (:state IS NULL OR message.state = :state OR message.state = :or_state)
ORDER BY message.id
LIMIT :count
