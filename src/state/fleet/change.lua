-- A field of the hash KEYS[1] becomes another (ARGV: its name, its value), or an entry joins the set KEYS[2] (ARGV: "", the entry,
-- when it ends, now, and how many there may be). Raises the generation and says so. The new one; 0 when nothing was changed.
if ARGV[1] == '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4])
  local known = redis.call('ZSCORE', KEYS[2], ARGV[2])
  if not known and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
    return 0
  end
  redis.call('ZADD', KEYS[2], 'GT', ARGV[3], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
local generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('PUBLISH', KEYS[1], generation)
return generation
