-- How many messages took how many attempts; those that took very many are counted together.
SELECT
    min(attempts, :most) AS attempts,
    count(*) AS messages,
    sum(max(attempts - 1, 0)) AS retries,
    sum(state = 'accepted' AND unknown_attempts > 0) AS doubtful
FROM message
WHERE +campaign = :campaign
GROUP BY 1
ORDER BY 1
