"""`eventflow lag`: how far groups are behind."""

import time
from collections.abc import Sequence

from ...models import GroupStanding, PartitionProgress
from .. import exit_codes
from ..output import Output, remark, show_now, write
from ..parsing import Options, Parser, make_parser, seconds, whole_number
from ..running import run
from ..server import Server, connect
from ..wrong_use import WrongUse


def lag(words: Sequence[str]) -> int:
    """See how far groups are behind: all of them, a stream's, or one partition by partition."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "lag", "Show how many events groups have still to finish. With --over, say so by the exit code."
    )
    parser.add_argument("stream", metavar="STREAM", nargs="?")
    parser.add_argument("group", metavar="GROUP", nargs="?")
    parser.add_argument(
        "--over", type=whole_number, metavar="N", help="end with 1 if a group has more than N to finish"
    )
    parser.add_argument("--watch", type=seconds, metavar="SECONDS", help="again and again, so often")
    return parser


class _Options(Options):
    stream: str | None
    group: str | None
    over: int | None
    watch: float | None


def _act(options: _Options) -> int:
    if options.over is not None and options.watch is not None:
        raise WrongUse("Give --over or --watch, not both: what is watched has no end that could say anything.")
    with connect(options) as server:
        worst = _show(server, options)
        while options.watch is not None:
            show_now()
            time.sleep(options.watch)
            if not options.json:
                write("")
            worst = _show(server, options)
    if options.over is not None and worst > options.over:
        remark(f"{worst:,} events are more than {options.over:,}.")
        return exit_codes.FAILED
    return exit_codes.DONE


def _show(server: Server, options: _Options) -> int:
    """Show it, and return the most that a group is behind."""
    if options.stream is None:
        return _all(server, options)
    if options.group is None:
        standings = server.streams.stats(options.stream).consumer_groups
        _standings(options, standings)
        return max((each.lag for each in standings), default=0)
    partitions = server.groups.offsets(options.stream, options.group)
    _partitions(options, partitions)
    return sum(each.lag for each in partitions)


def _all(server: Server, options: _Options) -> int:
    groups = list(server.groups.all())
    rows = [[each.stream, each.name, each.mode, each.lag, each.lost, len(each.members), each.paused] for each in groups]
    Output(options).table(["stream", "group", "mode", "lag", "lost", "members", "paused"], rows, groups)
    return max((each.lag for each in groups), default=0)


def _standings(options: _Options, standings: Sequence[GroupStanding]) -> None:
    rows = [
        [
            each.id,
            each.mode,
            each.lag,
            each.lag_seconds,
            each.in_flight,
            each.waiting,
            each.dead_letters,
            each.lost,
            each.last_seen_at,
        ]
        for each in standings
    ]
    columns = ["group", "mode", "lag", "seconds", "in flight", "waiting", "dead letters", "lost", "last seen"]
    Output(options).table(columns, rows, standings)


def _partitions(options: _Options, partitions: Sequence[PartitionProgress]) -> None:
    rows = [
        [each.partition, each.committed_offset, each.head_offset, each.lag, each.lag_seconds, each.lost]
        for each in partitions
    ]
    Output(options).table(["partition", "finished", "head", "lag", "seconds", "lost"], rows, partitions)
