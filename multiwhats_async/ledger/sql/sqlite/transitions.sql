-- How messages go from a state to the next: a row that is inserted here is one transition. So many
-- of them are one statement, and a transaction of its own where nothing else is in it. A message
-- that is not where its run has left it refuses them all.
CREATE TEMP VIEW IF NOT EXISTS transition AS
SELECT
    NULL AS kind, NULL AS id, NULL AS attempts, NULL AS expected, NULL AS state, NULL AS made,
    NULL AS unknown_attempts, NULL AS credits, NULL AS elapsed, NULL AS now, NULL AS receipt,
    NULL AS error;

-- The intent: from its commit on, the message may be on its way. No row, no POST.
CREATE TEMP TRIGGER IF NOT EXISTS intend INSTEAD OF INSERT ON transition
WHEN NEW.kind = 'intend'
BEGIN
    UPDATE message
    SET state = NEW.state, attempts = attempts + 1, changed_at = NEW.now
    WHERE id = NEW.id AND attempts = NEW.attempts AND state = NEW.expected;
    SELECT RAISE(ABORT, 'not where it was left') WHERE changes() <> 1;
END;

-- The attempt provably came to nothing, and another follows: a crash in between loses no proof.
CREATE TEMP TRIGGER IF NOT EXISTS postpone INSTEAD OF INSERT ON transition
WHEN NEW.kind = 'postpone'
BEGIN
    UPDATE message
    SET state = NEW.state, changed_at = NEW.now
    WHERE id = NEW.id AND attempts = NEW.attempts AND state = 'sending';
    SELECT RAISE(ABORT, 'not where it was left') WHERE changes() <> 1;
END;

-- The outcome, fenced by the attempt that it belongs to. An intent that no attempt followed does
-- not count as one. Where there is nothing new to say, what was said last stays.
CREATE TEMP TRIGGER IF NOT EXISTS settle INSTEAD OF INSERT ON transition
WHEN NEW.kind = 'settle'
BEGIN
    UPDATE message
    SET
        state = NEW.state, attempts = NEW.made, unknown_attempts = NEW.unknown_attempts,
        credits = NEW.credits, elapsed = NEW.elapsed, changed_at = NEW.now
    WHERE id = NEW.id AND attempts = NEW.attempts AND state IN ('sending', 'pending', 'unknown');
    SELECT RAISE(ABORT, 'not where it was left') WHERE changes() <> 1;
    INSERT INTO detail (message, receipt, error) VALUES (NEW.id, NEW.receipt, NEW.error)
    ON CONFLICT (message) DO UPDATE SET
        receipt = excluded.receipt,
        error = CASE WHEN excluded.receipt IS NULL THEN coalesce(excluded.error, error) END;
END;
