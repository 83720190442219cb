SELECT state, attempts > 0 AS is_tried, count(*) AS messages, sum(credits) AS credits
FROM message
WHERE campaign = :campaign
GROUP BY 1, 2
