-- Takes of all limits, or of none. KEYS: numbers of rates, then sets of requests under way.
-- ARGV: how many rates; for each what it costs and its period, in microseconds; for each set how many may be in it;
-- the name of this request, and how long it stays in a set without a word, in microseconds.
-- Returns {0}, or which limit is reached, in how long there is room, and what is left of its period.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rates = tonumber(ARGV[1])
local name, stays = ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])
local after = {}
for i = 1, rates do
  local full_at = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now)
  local period = tonumber(ARGV[2 * i + 1])
  after[i] = full_at + tonumber(ARGV[2 * i])
  local wait = after[i] - now - period
  if wait > 0 then
    return {i, wait, math.max(0, period - (full_at - now))}
  end
end
for i = rates + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[rates + i + 1]) then
    return {i, 0, 0}
  end
end
for i = 1, rates do
  redis.call('SET', KEYS[i], string.format('%.0f', after[i]), 'PX', math.ceil((after[i] - now) / 1000))
end
for i = rates + 1, #KEYS do
  redis.call('ZADD', KEYS[i], string.format('%.0f', now + stays), name)
  redis.call('PEXPIRE', KEYS[i], math.ceil(stays / 1000))
end
return {0, 0, 0}
