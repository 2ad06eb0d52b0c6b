-- The hash KEYS[1] becomes again what it was, and nothing else (ARGV: its generation, names and values of fields), unless it has as
-- much already.
local generation = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
if generation >= tonumber(ARGV[1]) then
  return
end
redis.call('DEL', KEYS[1])
for field = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[field], ARGV[field + 1])
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
redis.call('PUBLISH', KEYS[1], ARGV[1])
