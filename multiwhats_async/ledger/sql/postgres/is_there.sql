-- Not to_regclass(): within a transaction it goes on telling what it has told before.
SELECT count(*) > 0 AS is_there
FROM pg_catalog.pg_class
WHERE relname = 'multiwhats_schema' AND pg_catalog.pg_table_is_visible(oid)
