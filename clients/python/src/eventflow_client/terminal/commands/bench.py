"""`eventflow bench`: how much an installation takes and gives, as this client sees it."""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

from ...models import Retention
from .. import exit_codes
from ..bench.crews import measure
from ..bench.end_to_end import measure_end_to_end
from ..bench.measured import Measured
from ..bench.works import append, lease_and_ack, read_and_commit
from ..confirming import NotConfirmed, confirm
from ..output import Output, remark
from ..parsing import Options, Parser, make_parser, seconds, whole_number
from ..progress import Progress
from ..running import run
from ..server import Server, connect
from ..wrong_use import WrongUse

_KEPT_SECONDS: Final = 86_400
_BOUNDS: Final = {"connections": 64, "batch": 1000, "size": 100_000}


def bench(words: Sequence[str]) -> int:
    """Measure what this installation takes and gives in a second, on a stream of its own."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "bench",
        "Make a stream, append to it and consume it for a few seconds each, and delete it if you say so. Each "
        "connection sends its next request when the last one was answered. Payloads are letters at random. Whoever "
        "else works on the installation slows this down, and is slowed down by it: not where customers wait.",
    )
    parser.add_argument(
        "--seconds", type=seconds, default=5.0, metavar="N", help="how long each kind of work is measured (%(default)g)"
    )
    parser.add_argument("--connections", type=whole_number, default=4, metavar="N", help="at a time (%(default)s)")
    parser.add_argument("--batch", type=whole_number, default=500, metavar="N", help="events in a batch (%(default)s)")
    parser.add_argument("--size", type=whole_number, default=300, metavar="BYTES", help="of a payload (%(default)s)")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--yes", action="store_true", help="delete the stream in the end without asking")
    end.add_argument("--keep", action="store_true", help="leave the stream; its events go after a day")
    return parser


class _Options(Options):
    seconds: float
    connections: int
    batch: int
    size: int
    yes: bool
    keep: bool


def _act(options: _Options) -> int:
    for name, most in _BOUNDS.items():
        if not 1 <= getattr(options, name) <= most:
            raise WrongUse(f"--{name} is 1 to {most:,}.")
    stream = f"bench-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    with connect(options, connections=options.connections + 2) as server:
        server.streams.create(
            stream,
            description="Made by `eventflow bench`, to be deleted.",
            partitions=options.connections,
            retention=Retention(max_age=_KEPT_SECONDS),
        )
        try:
            found = list(_measure_all(server, stream, options))
            _tell(options, found)
        finally:
            _clear_away(server, stream, options)
    return exit_codes.FAILED if any(each.refused for each in found) else exit_codes.DONE


def _measure_all(server: Server, stream: str, options: _Options) -> Iterator[Measured]:
    server.groups.create(stream, "readers", mode="offset")
    server.groups.create(stream, "workers", mode="lease")
    batched = f"append {options.batch:,} at a time"
    works = {
        "append one by one": append(stream, batch=1, size=options.size),
        batched: append(stream, batch=options.batch, size=options.size),
        "poll and commit": read_and_commit(stream, "readers"),
        "lease and ack": lease_and_ack(stream, "workers"),
    }
    with Progress() as progress:
        for name, work in works.items():
            progress.tell(f"{name} …")
            yield measure(name, server, work, connections=options.connections, seconds=options.seconds)
        name = "append to live stream"
        progress.tell(f"{name} …")
        yield measure_end_to_end(name, server, stream, seconds=options.seconds)


def _tell(options: _Options, found: Sequence[Measured]) -> None:
    columns = ["work", "events/s", "requests/s", "p50 ms", "p99 ms", "max ms"]
    rows = [
        [
            each.work,
            _whole(each.events_per_second),
            _whole(each.requests_per_second),
            each.p50_ms,
            each.p99_ms,
            each.max_ms,
        ]
        for each in found
    ]
    Output(options).table(columns, rows, found)
    remark(
        f"{options.connections:,} connections, payloads of {options.size:,} bytes, {options.seconds:g} s each. "
        "The last line is one event at a time, from sending it to seeing it."
    )
    held_up = [each.work for each in found if each.is_held_up_by_client]
    if held_up:
        remark(f"This client was busy all the time ({', '.join(held_up)}): the server may do more than that.")
    for each in found:
        if each.refused:
            what = ", ".join(f"{count:,} × {code}" for code, count in sorted(each.refused.items()))
            remark(f"{each.work}: not done were {what}. What is measured is then a limit, or a fault, not the speed.")


def _whole(rate: float | None) -> int | None:
    return None if rate is None else round(rate)


def _clear_away(server: Server, stream: str, options: _Options) -> None:
    kept = f"The stream {stream} stays, its events for a day: eventflow streams delete {stream} --confirm {stream}"
    if options.keep:
        remark(kept)
        return
    try:
        confirm(f"Delete the stream {stream}, which was made for this?", is_given=options.yes)
    except NotConfirmed:
        remark(kept)
        return
    server.streams.delete(stream, confirm=stream)
