-- A field of the hash KEYS[1] becomes another or, without a value, is gone (ARGV: its name, its value, and how many fields there may
-- be of its kind, which is what stands before the colon of its name), or an entry joins the set KEYS[2] (ARGV: "", the entry,
-- when it ends, now, and how many there may be). Raises the generation and says so. The new one; 0 when nothing was changed.
if ARGV[1] == '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4])
  local known = redis.call('ZSCORE', KEYS[2], ARGV[2])
  if not known and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
    return 0
  end
  redis.call('ZADD', KEYS[2], 'GT', ARGV[3], ARGV[2])
elseif not ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if ARGV[3] and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
    local kind, count = string.match(ARGV[1], '^[^:]*:'), 0
    for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.sub(name, 1, #kind) == kind then
        count = count + 1
      end
    end
    if count >= tonumber(ARGV[3]) then
      return 0
    end
  end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
local generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('PUBLISH', KEYS[1], generation)
return generation
