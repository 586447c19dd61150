"""Many live streams at once: `python -m benchmarks.live`, on a server of its own with two web workers.

LIVE_STREAMS (10,000) listeners open a stream of server-sent events each, and then one event is appended, ROUNDS times.
It says how long it took to open them, what each takes of the workers' memory, and when the first, the median and the
last listener had an event. All of them are one program beside the server, which reads as little as it can.
"""

import argparse
import asyncio
import os
import resource
import statistics
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.api import Api, sign_in
from benchmarks.instance import Instance

LISTENERS = int(os.environ.get("LIVE_STREAMS", "10_000"))
ROUNDS = 5
# All at once, they would wait in line for a connection to the database.
COME_TOGETHER = 200
OPEN_SECONDS = 60.0
EVENT_SECONDS = 60.0
# What the server and this program have open beside the streams.
OTHER_FILES = 1_000
console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from just before the append until the first, the median and the last listener had its event."""

    first: float
    median: float
    last: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    listeners = parser.parse_args().listeners
    allow_open_files(listeners + OTHER_FILES)
    with Instance(is_embedded=True, WEB_WORKERS="2") as instance:
        admin = sign_in(instance.port, instance.password)
        admin.call("POST", "/streams", {"name": "live"})
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        # Connections, threads and memories of the workers come with the first requests.
        asyncio.run(_measure(instance, key, min(listeners, 20), rounds=1))
        console.print(asyncio.run(_measure(instance, key, listeners, rounds=ROUNDS)))


def allow_open_files(count: int) -> None:
    """Let this process, and those that it starts, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"{count:,} open files are needed, and the limit is {hard:,}: raise it, or set LIVE_STREAMS.")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


async def _measure(instance: Instance, key: str, listeners: int, *, rounds: int) -> Table:
    before = instance.memory_bytes(of="granian")
    began = time.perf_counter()
    streams: list[asyncio.StreamReader] = []
    writers: list[asyncio.StreamWriter] = []
    for start in range(0, listeners, COME_TOGETHER):
        count = min(COME_TOGETHER, listeners - start)
        for reader, writer in await asyncio.gather(*(_listen(instance.port, key) for _ in range(count))):
            streams.append(reader)
            writers.append(writer)
    opened = time.perf_counter() - began
    memory = (instance.memory_bytes(of="granian") - before) / listeners
    cpu_before = instance.cpu_seconds(of="granian")
    heard = [await _append_and_hear(instance.port, key, streams, number) for number in range(rounds)]
    cpu = (instance.cpu_seconds(of="granian") - cpu_before) / (listeners * rounds)
    for writer in writers:
        writer.close()
    table = Table("", "", title=f"{listeners:,} live streams on two workers; {rounds} events, medians")
    table.add_row("opened in, seconds", f"{opened:.1f}")
    table.add_row("opened a second", f"{listeners / opened:,.0f}")
    table.add_row("KB of the workers' memory for each", f"{memory / 1000:.1f}")
    for name in ("first", "median", "last"):
        seconds = statistics.median(getattr(each, name) for each in heard)
        table.add_row(f"append → the {name} has the event, ms", f"{1000 * seconds:,.0f}")
    table.add_row("CPU of the workers for each event of each stream, µs", f"{1e6 * cpu:.0f}")
    return table


async def _listen(port: int, key: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a live stream; return when its head has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/v1/streams/live/events/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n".encode()
    )
    # The first line of the stream itself: from here on nothing is missed.
    head = await asyncio.wait_for(reader.readuntil(b"\n\n"), OPEN_SECONDS)
    if b" 200 " not in head[:20]:
        raise SystemExit(f"A live stream was refused: {head[:300]!r}")
    return reader, writer


async def _append_and_hear(port: int, key: str, streams: list[asyncio.StreamReader], number: int) -> Heard:
    mark = b'"payload":"number-%d"' % number
    began = time.perf_counter()

    async def hear(stream: asyncio.StreamReader) -> float:
        await asyncio.wait_for(stream.readuntil(mark), EVENT_SECONDS)
        return time.perf_counter() - began

    hearing = [asyncio.create_task(hear(stream)) for stream in streams]
    # Until all of them listen.
    await asyncio.sleep(0)
    began = time.perf_counter()
    body = {"payload": f"number-{number}"}
    await asyncio.to_thread(Api(port, {"X-API-Key": key}).call, "POST", "/streams/live/events", body)
    took = sorted(await asyncio.gather(*hearing))
    return Heard(took[0], statistics.median(took), took[-1])


if __name__ == "__main__":
    main()
