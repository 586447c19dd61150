"""`eventflow streams`: streams, made, paused and looked at."""

from collections.abc import Sequence

from ...models import Retention, Stream
from .. import exit_codes
from ..output import Output
from ..parsing import Options, Parser, Verbs, whole_number
from ..running import run
from ..server import connect


def streams(words: Sequence[str]) -> int:
    """List, make, pause, resume and delete streams, and see one in numbers."""
    return run(words, build_parser(), lambda options: options.act(options))


def build_parser() -> Parser:
    verbs = Verbs("streams", "Streams that you may see.")
    verbs.add("list", "list streams", _list)
    verbs.add("show", "show a stream's settings", _show, "stream")
    stats = verbs.add("stats", "show a stream in numbers", _stats, "stream")
    stats.add_argument("--window", default="1h", help="1m to 30d (%(default)s)")
    create = verbs.add("create", "make a stream", _create, "stream")
    create.add_argument("--partitions", type=whole_number, metavar="N")
    create.add_argument("--description", metavar="TEXT")
    create.add_argument("--max-age", type=whole_number, metavar="SECONDS", help="keep events for so long")
    create.add_argument("--max-events", type=whole_number, metavar="N", help="keep so many")
    verbs.add("pause", "take no events for now", _pause, "stream")
    verbs.add("resume", "take events again", _resume, "stream")
    delete = verbs.add("delete", "delete a stream with its events and groups", _delete, "stream")
    delete.add_argument("--confirm", required=True, metavar="STREAM", help="its name once more")
    return verbs.parser


class _Options(Options):
    stream: str
    window: str
    partitions: int | None
    description: str | None
    max_age: int | None
    max_events: int | None
    confirm: str


def _list(options: _Options) -> int:
    with connect(options) as server:
        found = list(server.streams.list())
    rows = [[each.name, each.partitions, each.visibility, each.paused, each.owner] for each in found]
    Output(options).table(["stream", "partitions", "visibility", "paused", "owner"], rows, found)
    return exit_codes.DONE


def _show(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.streams.get(options.stream))


def _stats(options: _Options) -> int:
    with connect(options) as server:
        stats = server.streams.stats(options.stream, window=options.window)
    facts = {
        "events": stats.event_count,
        "stored bytes": stats.stored_bytes,
        "earliest offset": stats.earliest_offset,
        "head offset": stats.head_offset,
        "events a second": stats.rate_per_second,
        "last event": stats.last_event_at,
        "groups": len(stats.consumer_groups),
    }
    Output(options).facts(facts, stats)
    return exit_codes.DONE


def _create(options: _Options) -> int:
    retention = None
    if options.max_age is not None or options.max_events is not None:
        retention = Retention(max_age=options.max_age, max_events=options.max_events)
    with connect(options) as server:
        made = server.streams.create(
            options.stream, partitions=options.partitions, description=options.description, retention=retention
        )
        return _tell(options, made)


def _pause(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.streams.change(options.stream, paused=True))


def _resume(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.streams.change(options.stream, paused=False))


def _delete(options: _Options) -> int:
    with connect(options) as server:
        server.streams.delete(options.stream, confirm=options.confirm)
    Output(options).done(f"Deleted {options.stream}.", {"stream": options.stream, "deleted": True})
    return exit_codes.DONE


def _tell(options: _Options, stream: Stream) -> int:
    facts = {
        "name": stream.name,
        "description": stream.description,
        "partitions": stream.partitions,
        "visibility": stream.visibility,
        "kept seconds": stream.retention.max_age,
        "kept bytes": stream.retention.max_bytes,
        "kept events": stream.retention.max_events,
        "validation": stream.validation,
        "ids once, seconds": stream.deduplicate_ids,
        "paused": stream.paused,
        "owner": stream.owner,
        "created at": stream.created_at,
    }
    Output(options).facts(facts, stream)
    return exit_codes.DONE
