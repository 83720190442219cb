SELECT
    current_setting('server_encoding') AS encoding,
    current_setting('synchronous_commit') AS synchronous_commit,
    pg_is_in_recovery() AS is_replica
