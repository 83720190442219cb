-- Of two messages with one key the one that comes first is sent.
INSERT INTO temp.input (run, position, message, is_changed, is_repeated)
SELECT
    loaded.run, loaded.position, message.id, message.digest IS NOT loaded.digest,
    EXISTS (
        SELECT 1 FROM temp.input AS earlier
        WHERE earlier.run = loaded.run AND earlier.message = message.id
    )
    OR row_number() OVER (PARTITION BY message.id ORDER BY loaded.position) > 1
FROM (
    SELECT
        column1 AS run, column2 AS position, column3 AS campaign, column4 AS key, column5 AS digest
    FROM (VALUES (:run, :position, :campaign, :key, :digest))
) AS loaded
CROSS JOIN message ON message.campaign = loaded.campaign AND message.key = loaded.key
