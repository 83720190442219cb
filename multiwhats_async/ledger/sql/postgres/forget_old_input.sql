-- What runs have left that were not heard of for a day: they do not come back.
DELETE FROM multiwhats_input
USING multiwhats_run AS run
WHERE multiwhats_input.run = run.id AND run.alive_until < clock_timestamp() - interval '1 day'
