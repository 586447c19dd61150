"""Load by wrk: bodies are made before, so that the load generator costs little beside the server."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local bodies = {}
for index = 1, %(count)d do
  local file = io.open("%(folder)s/body-" .. index, "rb")
  bodies[index] = file:read("*a")
  file:close()
end
local turn = 0
local headers = {%(headers)s}
request = function()
  turn = turn %% #bodies + 1
  return wrk.format("POST", nil, headers, %(body)s)
end
%(delay)s
"""
_REPLAY = """
local number = 0
function setup(thread)
  thread:set("number", number)
  number = number + 1
end
function init(arguments)
  position = number * %(apart)d
end
local headers = {%(headers)s}
request = function()
  local path = wrk.path .. "&last_offset=" .. position
  position = (position + %(step)d) %% %(events)d
  return wrk.format("GET", path, headers)
end
"""
# Eight of these in a body become as many hexadecimal digits by chance, others each time that it is sent.
RANDOM_DIGITS = "########"
_WITH_RANDOM_DIGITS = """bodies[turn]:gsub("########", function()
    return string.format("%04x%04x", math.random(0, 65535), math.random(0, 65535))
  end)"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. Latencies in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float
    failures: int


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("The benchmarks need wrk: apt-get install wrk, brew install wrk, …")


def post(
    url: str, bodies: list[bytes], *, connections: int, seconds: int, headers: dict[str, str], pause_ms: int = 0
) -> Load:
    """Send the bodies in turn, over and over, each connection with a pause between."""
    with tempfile.TemporaryDirectory() as folder:
        for index, body in enumerate(bodies, 1):
            Path(folder, f"body-{index}").write_bytes(body)
        delay = f"delay = function() return {pause_ms} end" if pause_ms else ""
        is_random = any(RANDOM_DIGITS.encode() in each for each in bodies)
        # In brackets: of what `gsub` returns, the text alone.
        text = f"({_WITH_RANDOM_DIGITS})" if is_random else "bodies[turn]"
        values = {"count": len(bodies), "folder": folder, "headers": _in_lua(headers), "delay": delay, "body": text}
        script = Path(folder, "post.lua")
        script.write_text("math.randomseed(os.time())\n" + _SCRIPT % values)
        return _run(url, ["-s", str(script)], connections=connections, seconds=seconds)


def get(url: str, *, connections: int, seconds: int, headers: dict[str, str]) -> Load:
    """Ask the same again and again."""
    arguments = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    return _run(url, arguments, connections=connections, seconds=seconds)


def replay(url: str, *, events: int, step: int, readers: int, seconds: int, headers: dict[str, str]) -> Load:
    """Read a stream in sequence, `step` of its events at a time, over and over; each reader begins elsewhere in it."""
    values = {"headers": _in_lua(headers), "events": events, "step": step, "apart": events // readers // step * step}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_REPLAY % values)
        script.flush()
        # A thread each: of one thread's connections, nobody knows which asks next.
        return _run(url, ["-s", script.name], connections=readers, seconds=seconds, threads=readers)


def _in_lua(headers: dict[str, str]) -> str:
    return ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items())


def _run(url: str, arguments: list[str], *, connections: int, seconds: int, threads: int = 1) -> Load:
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}", "--latency"]
    command += ["--timeout", "20s", *arguments, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failures = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", output))
    failures += sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", output))
    return Load(
        requests_per_second=float(_find(r"Requests/sec: +([\d.]+)", output)),
        p50=_milliseconds(_find(r"50% +(\S+)", output)),
        p99=_milliseconds(_find(r"99% +(\S+)", output)),
        failures=failures,
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk answered something else:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise SystemExit(f"not a duration: {text}")
