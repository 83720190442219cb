-- The first schema. The table multiwhats_schema says which one a database has.

CREATE TABLE multiwhats_campaign (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'cancelled')),
    because text,
    state_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who has messages in hand. What a run holds is free for others once its lease is over.
CREATE TABLE multiwhats_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign bigint NOT NULL,
    worker text NOT NULL,                           -- host and process id
    alive_until timestamptz NOT NULL
);

-- What is to be sent, and how far it has come. Not every page is filled, so that a new version of
-- a row often finds room beside the old one.
CREATE TABLE multiwhats_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign bigint NOT NULL REFERENCES multiwhats_campaign (id),
    key text COLLATE "C" NOT NULL,
    digest bytea,                                   -- of what it says; NULL where the key is it
    position bigint NOT NULL,                       -- in the input that brought it first
    batch bigint NOT NULL,                          -- the run that loaded it, or took it over
    sender text NOT NULL,
    has_own_sender boolean NOT NULL,
    recipient text NOT NULL,
    text text NOT NULL,
    buttons text NOT NULL,                          -- a JSON list
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'claimed', 'sending', 'accepted', 'rejected', 'unknown')),
    resting text NOT NULL DEFAULT 'pending',        -- where a claim that comes to nothing returns
    owner bigint,                                   -- the run that claimed it last; the other fence
    attempts integer NOT NULL DEFAULT 0,            -- intents; the fence of an outcome
    unknown_attempts integer NOT NULL DEFAULT 0,
    credits double precision NOT NULL DEFAULT 0,
    elapsed double precision NOT NULL DEFAULT 0,    -- seconds
    next_at timestamptz,                            -- before which no worker tries it again
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (campaign, key)
) WITH (fillfactor = 80);
CREATE INDEX multiwhats_message_order ON multiwhats_message (campaign, id);

-- What a run that died had in hand is found at once, however large the table is.
CREATE INDEX multiwhats_message_held ON multiwhats_message (owner)
    WHERE state IN ('claimed', 'sending');

-- What an attempt came to, apart from the messages: it is large, and rarely read.
CREATE TABLE multiwhats_detail (
    message bigint PRIMARY KEY,
    receipt text,                                   -- the vendor's record, JSON
    error text,                                     -- JSON
    note text                                       -- of the person who resolved it
);

-- The inputs of runs that go on, by position: what is not in its input, a run does not send.
CREATE TABLE multiwhats_input (
    run bigint NOT NULL,
    position bigint NOT NULL,
    message bigint NOT NULL,
    is_changed boolean NOT NULL,
    is_repeated boolean NOT NULL,
    PRIMARY KEY (run, position)
);
CREATE INDEX multiwhats_input_message ON multiwhats_input (message, run);

-- What was handed to workers, some hundred messages each: the task of an engine.
CREATE TABLE multiwhats_chunk (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign bigint NOT NULL,
    batch bigint NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    puts integer NOT NULL DEFAULT 1,                -- how often it was put into a queue
    is_done boolean NOT NULL DEFAULT false,
    due_at timestamptz NOT NULL                     -- from when on it may be put there again
);
CREATE INDEX multiwhats_chunk_open ON multiwhats_chunk (due_at) WHERE NOT is_done;
CREATE INDEX multiwhats_chunk_batch ON multiwhats_chunk (batch, first_id);
