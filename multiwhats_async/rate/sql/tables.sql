-- Makes the tables. Many processes may come at once: IF NOT EXISTS alone would fail all but one.
SELECT pg_advisory_xact_lock(hashtextextended('multiwhats_rate', 0));

CREATE TABLE IF NOT EXISTS multiwhats_rate_slot (
    name text NOT NULL,
    sender text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (name, sender)
) WITH (fillfactor = 20); -- a row is written many times a second: room for its versions

CREATE TABLE IF NOT EXISTS multiwhats_rate_hold (
    name text PRIMARY KEY,
    held_until timestamptz NOT NULL
);
