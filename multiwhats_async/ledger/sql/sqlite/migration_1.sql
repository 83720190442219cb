-- The first schema. A file that has it says so in PRAGMA user_version.

-- One row: whether a process has the ledger open. It is written to the main file before anything
-- else is, so that a lost -wal file is noticed.
CREATE TABLE ledger (
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1))
);
INSERT INTO ledger (is_open) VALUES (0);

CREATE TABLE campaign (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL                        -- seconds since 1970
);

-- What is to be sent, and how far it has come. Small, so that a scan over a million is quick.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    key TEXT NOT NULL,
    digest BLOB,                                    -- of what it says; NULL where the key is it
    position INTEGER NOT NULL,                      -- in the input that brought it first
    sender TEXT NOT NULL,
    has_own_sender INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    buttons TEXT NOT NULL,                          -- a JSON list
    state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'sending', 'accepted', 'rejected', 'unknown')),
    attempts INTEGER NOT NULL DEFAULT 0,            -- intents; the fence of an outcome
    unknown_attempts INTEGER NOT NULL DEFAULT 0,
    credits REAL NOT NULL DEFAULT 0,
    elapsed REAL NOT NULL DEFAULT 0,                -- seconds
    changed_at REAL NOT NULL,                       -- seconds since 1970
    UNIQUE (campaign, key)
);

-- What a process that died had under way is found at once, however large the file is.
CREATE INDEX message_sending ON message (id) WHERE state = 'sending';

-- What an attempt came to, apart from the messages: it is large, and rarely read.
CREATE TABLE detail (
    message INTEGER PRIMARY KEY REFERENCES message (id),
    receipt TEXT,                                   -- the vendor's record, JSON
    error TEXT,                                     -- JSON
    note TEXT                                       -- of the person who resolved it
);
