-- What a process that died had under way.
SELECT id, recipient, attempts FROM message WHERE state = 'sending' ORDER BY id
