-- Lets no slot of a rate's name come before so many microseconds from now.
-- KEYS: the hold of the rate's name (microseconds since 1970). ARGV: the microseconds.
local time = redis.call('TIME')
local held_until = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
if held_until > tonumber(redis.call('GET', KEYS[1]) or 0) then
    local life = string.format('%.0f', math.ceil(ARGV[1] / 1000) + 1)
    redis.call('SET', KEYS[1], string.format('%.0f', held_until), 'PX', life)
end
