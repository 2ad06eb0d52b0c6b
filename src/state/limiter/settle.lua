-- Sets right what a request took that is over. KEYS: numbers of rates, then sets of requests under way.
-- ARGV: how many rates; for each how much more it cost than was taken, in microseconds; the name of the request.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rates = tonumber(ARGV[1])
for i = 1, rates do
  local more = tonumber(ARGV[i + 1])
  local full_at = tonumber(redis.call('GET', KEYS[i]) or '0')
  full_at = more > 0 and math.max(full_at, now) + more or full_at + more
  if full_at > now then
    redis.call('SET', KEYS[i], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
  else
    redis.call('DEL', KEYS[i])
  end
end
for i = rates + 1, #KEYS do
  redis.call('ZREM', KEYS[i], ARGV[#ARGV])
end
return 0
