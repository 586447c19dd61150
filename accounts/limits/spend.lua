-- Take what one process spent from the buckets that all share, and tell what each holds then: by the server's clock,
-- in one step. KEYS: the buckets. ARGV: the longest debt in seconds, then for each bucket what was spent, how much it
-- gets in a second, and how much it holds.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local longest_debt = tonumber(ARGV[1])
local levels = {}
for index, key in ipairs(KEYS) do
  local spent = tonumber(ARGV[3 * index - 1])
  local per_second = tonumber(ARGV[3 * index])
  local burst = tonumber(ARGV[3 * index + 1])
  local kept = redis.call('HMGET', key, 'level', 'at')
  local level = tonumber(kept[1] or '') or burst
  local since = math.max(0, now - (tonumber(kept[2] or '') or now))
  level = math.min(burst, level + since * per_second) - spent
  level = math.max(level, -longest_debt * per_second)
  redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
  -- A full one need not be remembered.
  redis.call('PEXPIRE', key, math.ceil((burst - level) / per_second * 1000) + 1000)
  levels[index] = string.format('%.6f', level)
end
return levels
