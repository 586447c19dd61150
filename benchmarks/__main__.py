"""`make bench`: EventFlow's own server over HTTP, against the raw limit of the same database in the same run.

Machines differ and are noisy: read the ratios, not the absolute figures.
"""

import statistics

from rich.console import Console
from rich.table import Table

from benchmarks import raw, wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance
from benchmarks.waiting import waiting_polls, wake_up_latencies

SECONDS = 6
BATCH = 500
console = Console()


def main() -> None:
    wrk.require_wrk()
    table = Table(title="EventFlow over HTTP: durable, authenticated, validated, counted, logged")
    for heading in ("what", "per second", "p50 ms", "p99 ms", "of the raw limit"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        for name, partitions in (
            ("singles", 1),
            ("batches", 4),
            ("full", 4),
            ("raw", 4),
            ("raw-one", 16),
            ("quiet", 1),
            ("woken", 1),
        ):
            admin.call("POST", "/streams", {"name": name, "partitions": partitions})
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        measure(instance, key, table)
    console.print(table)


def measure(instance: Instance, key: str, table: Table) -> None:
    json = {"X-API-Key": key, "Content-Type": "application/json"}
    minimal = {**json, "Prefer": "return=minimal"}
    singles = [make_body(1, number)[1:-1] for number in range(200)]
    bodies = [make_body(BATCH, BATCH * number) for number in range(40)]
    console.print(f"Events of {sum(map(len, singles)) / len(singles):.0f} bytes. Each line takes about {SECONDS} s …")

    url = instance.database_url
    raw_one = raw.append_per_second(url, raw.partition_ids(url, "raw-one"), events=1, seconds=SECONDS)
    table.add_row("raw: single appends, 16 connections", f"{raw_one:,.0f}", "", "", "1.00")
    raw_many = raw.append_per_second(url, raw.partition_ids(url, "raw"), events=BATCH, seconds=SECONDS)
    table.add_row(f"raw: events in batches of {BATCH}, 4 connections", f"{raw_many:,.0f}", "", "", "1.00")

    def add(what: str, load: wrk.Load, factor: int = 1, limit: float | None = None) -> float:
        if load.failures:
            what += f" ({load.failures} FAILED)"
        rate = load.requests_per_second * factor
        table.add_row(
            what, f"{rate:,.0f}", f"{load.p50:.1f}", f"{load.p99:.1f}", f"{rate / limit:.2f}" if limit else ""
        )
        return rate

    api = instance.api
    one = f"{api}/streams/singles/events"
    alone = add(
        "single appends, 64 connections",
        wrk.post(one, singles, connections=64, seconds=SECONDS, headers=json),
        limit=raw_one,
    )
    load = wrk.post(f"{api}/streams/batches/events", bodies, connections=4, seconds=SECONDS, headers=minimal)
    add(f"events in batches of {BATCH}, return=minimal, 4 connections", load, BATCH, raw_many)
    load = wrk.post(f"{api}/streams/full/events", bodies, connections=4, seconds=SECONDS, headers=json)
    add(f"events in batches of {BATCH}, a result each, 4 connections", load, BATCH, raw_many)
    for where, offset in (("newest", None), ("oldest", 0)):
        head = int(Api(instance.port, json).call("GET", "/streams/batches/stats")["head_offset"]) // 4
        after = max(0, head - 20_000) if offset is None else offset
        path = f"{api}/streams/batches/events?partition=0&last_offset={after}&limit=1000&max_bytes=8388608"
        add(
            f"events read in polls of 1,000, {where}, 4 connections",
            wrk.get(path, connections=4, seconds=SECONDS, headers=json),
            1000,
        )

    latencies = wake_up_latencies(instance.port, key, "woken", rounds=100)
    quantiles = statistics.quantiles(latencies, n=100)
    table.add_row("append → waiting poll", "", f"{quantiles[49]:.1f}", f"{quantiles[98]:.1f}", "")
    with waiting_polls(instance.port, key, "quiet", 1_000):
        load = wrk.post(one, singles, connections=64, seconds=SECONDS, headers=json)
    add("single appends while 1,000 polls wait", load, limit=raw_one)
    again = add(
        "the same with none waiting",
        wrk.post(one, singles, connections=64, seconds=SECONDS, headers=json),
        limit=raw_one,
    )
    table.add_row(
        "  ratio: with 1,000 polls waiting to with none",
        f"{load.requests_per_second / statistics.mean([alone, again]):.2f}",
        "",
        "",
        "",
    )
    compressed, on_disk = raw.stored_bytes_per_event(url, "batches")
    table.add_row(f"bytes per event in batches of {BATCH}: compressed", f"{compressed:.0f}", "", "", "")
    table.add_row("  with row, index and TOAST overhead", f"{on_disk:.0f}", "", "", "")


if __name__ == "__main__":
    main()
