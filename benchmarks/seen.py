"""A scrape and a stream's stats in an installation of size: `python -m benchmarks.seen`, DATABASE_URL of a migrated database.

A thousand streams with a consumer group each are made (STREAMS=… for another number), one of them with EVENTS events
(a million), and taken away at the end. Both are asked for through all of the middleware, in this process.
"""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:9/0")
os.environ.setdefault("SECRET_KEY", "for-benchmarks-only-" + "0" * 40)
os.environ.setdefault("JWT_SIGNING_KEY", "for-benchmarks-only-" + "1" * 40)
os.environ.setdefault("LOG_LEVEL", "ERROR")
django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.principals import Principal  # noqa: E402
from accounts.roles import Right, Role  # noqa: E402
from accounts.services.api_keys import create_api_key  # noqa: E402
from benchmarks.log_engine import event  # noqa: E402
from consumers.services.groups import GroupSettings, create_group  # noqa: E402
from observability.numbers.rollups import roll_up  # noqa: E402
from streams.log import close_log, get_log  # noqa: E402
from streams.log.protocol import PartitionAppend  # noqa: E402
from streams.lookup import StreamInfo, load_stream  # noqa: E402
from streams.models import Stream  # noqa: E402
from streams.services.lifecycle import StreamSettings, create_stream, delete_stream  # noqa: E402

STREAMS = int(os.environ.get("STREAMS", "1000"))
EVENTS = int(os.environ.get("EVENTS", "1_000_000"))
APPEND_EVENTS = 10_000
RUNS = 40
PROMISED_MS = 50
console = Console()


def make_streams(user: User, prefix: str) -> list[StreamInfo]:
    made = []
    for number in range(STREAMS):
        name = f"{prefix}-{number}"
        limits = StreamSettings(retention_max_age_seconds=864_000) if number % 2 else StreamSettings()
        create_stream(caller=user.as_caller(), name=name, settings=limits)
        stream = load_stream(name)
        if stream is None:
            raise AssertionError(name)
        mode = "lease" if number % 3 else "offset"
        create_group(stream=stream, name="readers", settings=GroupSettings(mode=mode), owner=Principal(user_id=user.pk))
        get_log().append([PartitionAppend(stream.partitions[0], [event(n) for n in range(5)])])
        made.append(stream)
    return made


def fill(stream: StreamInfo) -> None:
    records = [event(number) for number in range(APPEND_EVENTS)]
    for _ in range(EVENTS // APPEND_EVENTS):
        get_log().append([PartitionAppend(stream.partitions[0], records)])


def ask_api(client: Client, path: str, key: str) -> int:
    return client.get(path, headers={"X-API-Key": key}).status_code


def measure(table: Table, what: str, ask: Callable[[], int]) -> None:
    status = ask()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    p95 = statistics.quantiles(seconds, n=20)[18] * 1000
    p50 = statistics.median(seconds) * 1000
    verdict = "yes" if p50 <= PROMISED_MS else "NO"
    table.add_row(what, str(status), f"{p50:.1f}", f"{p95:.1f}", verdict)


def main() -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    prefix = f"bench-seen-{time.time_ns()}"
    user = User.objects.create_user(f"{prefix}@example.com", None, roles=list(Role))
    key = create_api_key(user=user, name="bench", scopes=list(Right), stream_names=None, expires_at=None).secret
    table = Table(title=f"{STREAMS:,} streams and groups, {EVENTS:,} events in one of them")
    for heading in ("what", "status", "p50 ms", "p95 ms", f"≤ {PROMISED_MS} ms"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    try:
        console.print(f"Making {STREAMS:,} streams …")
        streams = make_streams(user, prefix)
        console.print(f"Appending {EVENTS:,} events …")
        fill(streams[0])
        client = Client()
        path = f"/api/v1/streams/{streams[0].name}/stats"
        measure(table, "stats, before the roll-up", partial(ask_api, client, path, key))
        console.print("Rolling up …")
        while roll_up(seconds=60):
            pass
        for window in ("1h", "30d"):
            address = f"{path}?window={window}"
            measure(table, f"stats, {window}", partial(ask_api, client, address, key))
        measure(table, "a scrape", lambda: client.get("/metrics").status_code)
    finally:
        for row in Stream.objects.filter(owner=user):
            delete_stream(stream=row, confirm=row.name)
        user.delete()
        close_log()
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
