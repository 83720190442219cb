SELECT version FROM multiwhats_schema
