-- What wrk sends (https://github.com/wg/wrk/blob/master/SCRIPTING). Arguments: "same" METHOD BODYFILE; "distinct", which
-- appends to the path a key that is never used twice; "paths" FILE NUMBER, which sends each line's path in turn, each number and
-- thread from another line on.
local count = 0
function setup(thread)
  thread:set("number", count)
  count = count + 1
end

function init(args)
  if args[1] == "same" then
    wrk.method = args[2]
    if args[3] then
      local file = io.open(args[3], "rb")
      wrk.body = file:read("*a")
      file:close()
      wrk.headers["Content-Type"] = "application/json"
    end
    return
  end
  local n = 0
  if args[1] == "distinct" then
    local prefix = string.format("%s?k=%s%02d-", wrk.path, args[2], number)
    request = function()
      n = n + 1
      return wrk.format(nil, prefix .. n)
    end
  else
    local paths = {}
    for line in io.lines(args[2]) do paths[#paths + 1] = wrk.format("GET", line) end
    n = math.floor(#paths / 2) * number + 7919 * args[3]
    request = function()
      n = n % #paths + 1
      return paths[n]
    end
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("\nRESULT %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
