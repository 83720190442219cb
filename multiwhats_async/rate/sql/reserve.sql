-- Moves a sender's next slot on, and says in how many seconds the slot comes that was taken.
-- Settings of this transaction alone, so that a pooler's connection is left as it was: a slot is
-- worth no fsync, and a row that somebody has locked must not hold the sending up for good.
INSERT INTO multiwhats_rate_slot AS slot (name, sender, next_at)
SELECT
    %(name)s,
    %(sender)s,
    GREATEST(
        clock_timestamp(),
        (SELECT held_until FROM multiwhats_rate_hold WHERE name = %(name)s)
    ) + make_interval(secs => %(advance)s)
FROM
    set_config('synchronous_commit', 'off', true) AS quick,
    set_config('lock_timeout', '4s', true) AS impatient
ON CONFLICT (name, sender) DO UPDATE SET
    next_at = GREATEST(
        CASE
            -- Nobody has sent for long: what was not used is gone.
            WHEN slot.next_at < clock_timestamp() - make_interval(secs => %(idle)s)
                THEN clock_timestamp()
            -- The way here took a moment, which must not cost the rate anything.
            ELSE GREATEST(slot.next_at, clock_timestamp() - make_interval(secs => %(tolerance)s))
        END,
        (SELECT held_until FROM multiwhats_rate_hold WHERE name = %(name)s)
    ) + make_interval(secs => %(advance)s)
RETURNING
    extract(EPOCH FROM next_at - make_interval(secs => %(advance)s) - clock_timestamp())::float8
