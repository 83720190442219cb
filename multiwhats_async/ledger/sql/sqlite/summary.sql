-- One pass without a sorter. The plus keeps the planner from looking up every message by the index
-- of keys, in their random order.
SELECT
    coalesce(sum(state = 'pending' AND attempts = 0), 0) AS pending,
    coalesce(sum(state = 'pending' AND attempts > 0), 0) AS not_sent,
    coalesce(sum(state = 'sending'), 0) AS in_flight,
    coalesce(sum(state = 'accepted'), 0) AS accepted,
    coalesce(sum(state = 'rejected'), 0) AS rejected,
    coalesce(sum(state = 'unknown'), 0) AS unknown,
    coalesce(sum(credits), 0.0) AS credits
FROM message
WHERE +campaign = :campaign
