-- What is claimed rests where it was.
SELECT
    count(*) FILTER (WHERE state = 'pending' AND attempts = 0) AS pending,
    count(*) FILTER (WHERE state = 'pending' AND attempts > 0) AS not_sent,
    count(*) FILTER (WHERE state = 'sending') AS in_flight,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    count(*) FILTER (WHERE state = 'rejected') AS rejected,
    count(*) FILTER (WHERE state = 'unknown') AS unknown,
    coalesce(sum(credits), 0) AS credits
FROM (
    SELECT CASE state WHEN 'claimed' THEN resting ELSE state END AS state, attempts, credits
    FROM multiwhats_message
    WHERE campaign = :campaign
) AS message
