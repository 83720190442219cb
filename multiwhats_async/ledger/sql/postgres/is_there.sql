SELECT to_regclass('multiwhats_schema') IS NOT NULL AS is_there
