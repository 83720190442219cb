-- How many messages took how many attempts; those that took very many are counted together. A
-- claim comes after the outcome of the attempts before it: what is claimed rests where it was.
SELECT
    least(attempts, :most) AS attempts,
    count(*) AS messages,
    sum(greatest(attempts - 1, 0)) AS retries,
    count(*) FILTER (WHERE state = 'accepted' AND unknown_attempts > 0) AS doubtful
FROM multiwhats_message
WHERE campaign = :campaign
GROUP BY 1
ORDER BY 1
