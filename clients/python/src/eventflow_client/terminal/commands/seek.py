"""`eventflow seek`: move a group on purpose."""

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ...models import Seek
from .. import exit_codes
from ..confirming import confirm
from ..moments import moment, span
from ..output import Output, remark
from ..parsing import Options, Parser, make_parser, whole_number
from ..running import run
from ..server import connect

_AGO: Final = re.compile(r"\d{1,9}[smhd]", re.ASCII)


def seek(words: Sequence[str]) -> int:
    """Move a group back or on, or see what that would do."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "seek", "Show what a move would do, ask, and do it. Moved back, a group is given those events again."
    )
    parser.add_argument("stream", metavar="STREAM")
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument(
        "to",
        type=_place,
        metavar="TO",
        help="`earliest`, `latest`, the offset that counts as finished, a time with its zone "
        "(2026-11-22T10:00:00Z), or 90s, 30m, 2h, 7d ago",
    )
    parser.add_argument("--partition", type=whole_number, metavar="N", help="only this one")
    parser.add_argument("--dry-run", action="store_true", help="only show it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


class _Options(Options):
    stream: str
    group: str
    to: str | int | datetime
    partition: int | None
    dry_run: bool
    yes: bool


def _act(options: _Options) -> int:
    with connect(options) as server:
        foreseen = server.groups.seek(
            options.stream, options.group, options.to, partition=options.partition, dry_run=True
        )
        if options.dry_run:
            _show(options, foreseen)
            return exit_codes.DONE
        if not options.yes:
            remark(f"{foreseen.events_affected:,} events are between where {options.group} is and there.")
        confirm(f"Move {options.group} of {options.stream}?", is_given=options.yes)
        _show(options, server.groups.seek(options.stream, options.group, options.to, partition=options.partition))
    return exit_codes.DONE


def _show(options: _Options, seek: Seek) -> None:
    rows = [
        [each.partition, each.from_offset, each.to_offset, each.events_affected, each.deliveries_fenced]
        for each in seek.partitions
    ]
    Output(options).table(["partition", "from", "to", "events", "deliveries ended"], rows, [seek])


def _place(text: str) -> str | int | datetime:
    if text in ("earliest", "latest"):
        return text
    if re.fullmatch(r"\d{1,19}", text, re.ASCII):
        return int(text)
    if _AGO.fullmatch(text):
        try:
            return datetime.now(UTC) - timedelta(seconds=span(text))
        except OverflowError:
            raise argparse.ArgumentTypeError(f"{text!r} ago was before all time: `earliest` is the beginning") from None
    return moment(text)
