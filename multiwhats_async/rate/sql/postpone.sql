-- Lets no slot of a rate's name come before so many seconds from now.
INSERT INTO multiwhats_rate_hold AS hold (name, held_until)
SELECT %(name)s, clock_timestamp() + make_interval(secs => %(seconds)s)
FROM
    set_config('synchronous_commit', 'off', true) AS quick,
    set_config('lock_timeout', '4s', true) AS impatient
ON CONFLICT (name) DO UPDATE SET
    held_until = GREATEST(hold.held_until, excluded.held_until)
