-- For as long as the session lasts. An administrator's own bound holds where it is tighter.
SELECT set_config('idle_in_transaction_session_timeout', :idle, false)
FROM pg_settings
WHERE name = 'idle_in_transaction_session_timeout'
    AND (setting = '0' OR setting::bigint > extract(epoch FROM :idle::interval) * 1000)
