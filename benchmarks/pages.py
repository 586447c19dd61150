"""The dashboard's pages over a large log: `python -m benchmarks.pages` with DATABASE_URL of a migrated database.

Ten million events are appended to one stream of its own (EVENTS=… for another number), then every page is asked for
through all of the middleware, in this process. The stream is deleted at the end.
"""

import os
import statistics
import time

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
from accounts.roles import Role  # noqa: E402
from benchmarks.log_engine import event  # noqa: E402
from consumers.services.groups import GroupSettings, create_group  # noqa: E402
from observability.numbers.rollups import roll_up  # noqa: E402
from streams.log import close_log, get_log  # noqa: E402
from streams.log.protocol import PartitionAppend  # noqa: E402
from streams.lookup import StreamInfo, load_stream  # noqa: E402
from streams.models import Stream  # noqa: E402
from streams.services.lifecycle import StreamSettings, create_stream, delete_stream  # noqa: E402

EVENTS = int(os.environ.get("EVENTS", "10_000_000"))
APPEND_EVENTS = 10_000
RUNS = 15
PROMISED_MS = 200
console = Console()


def fill(stream: StreamInfo) -> None:
    records = [event(number) for number in range(APPEND_EVENTS)]
    for _ in range(EVENTS // APPEND_EVENTS):
        get_log().append([PartitionAppend(stream.partitions[0], records)])


def main() -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    name = f"bench-pages-{time.time_ns()}"
    user = User.objects.create_user(f"{name}@example.com", None, roles=list(Role))
    row = create_stream(caller=user.as_caller(), name=name, settings=StreamSettings())
    stream = load_stream(name)
    if stream is None:
        raise AssertionError(name)
    group, _ = create_group(stream=stream, name="readers", settings=GroupSettings(), owner=Principal(user_id=user.pk))
    create_group(stream=stream, name="workers", settings=GroupSettings(mode="lease"), owner=Principal(user_id=user.pk))
    console.print(f"Appending {EVENTS:,} events …")
    fill(stream)
    console.print("Rolling them up …")
    while roll_up(seconds=10):
        pass
    try:
        measure(user, name, group.name)
    finally:
        delete_stream(stream=Stream.objects.get(pk=row.pk), confirm=name)
        user.delete()
        close_log()


def measure(user: User, name: str, group: str) -> None:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    middle = EVENTS // 2
    table = Table("page", "median ms", "slowest ms", title=f"Pages over {EVENTS:,} events, one process")
    for title, path in {
        "overview": "/",
        "streams": "/streams",
        "one stream": f"/streams/{name}",
        "one stream, 30 days": f"/streams/{name}?window=30d",
        "events, newest": f"/streams/{name}/events",
        "events from the middle": f"/streams/{name}/events?from=offset&offset={middle}",
        "events from a time": f"/streams/{name}/events?from=time&time=2020-01-01T00:00",
        "one event": f"/streams/{name}/events/0/{middle}",
        "one group": f"/streams/{name}/consumer-groups/{group}",
        "consume here": f"/streams/{name}/consumer-groups/{group}/consume",
        "consumers": "/consumer-groups",
        "dead letters": "/dead-letters",
        "keys": "/keys",
    }.items():
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            response = client.get(path)
            times.append((time.perf_counter() - started) * 1000)
            if response.status_code != 200:
                raise AssertionError(f"{path}: {response.status_code}")
        median = statistics.median(times)
        table.add_row(title, f"{median:.0f}{'' if median < PROMISED_MS else ' !'}", f"{max(times):.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
