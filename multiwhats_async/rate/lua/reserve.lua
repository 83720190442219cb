-- Moves a sender's next slot on, and says in how many microseconds the slot comes that was taken.
-- KEYS: the sender's next slot, the hold of the rate's name (both microseconds since 1970).
-- ARGV: the advance, the tolerance, and after how long a sender is idle (microseconds).
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local advance, tolerance, idle = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local slot = tonumber(redis.call('GET', KEYS[1]) or now)
if slot < now - idle then
    slot = now -- nobody has sent for long: what was not used is gone
else
    slot = math.max(slot, now - tolerance) -- the way here must not cost the rate anything
end
slot = math.max(slot, tonumber(redis.call('GET', KEYS[2]) or slot))

local next_slot = slot + advance
local life = math.ceil((math.max(next_slot - now, 0) + idle) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', next_slot), 'PX', string.format('%.0f', life))
return slot - now
