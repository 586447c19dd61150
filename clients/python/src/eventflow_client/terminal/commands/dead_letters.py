"""`eventflow dead-letters`: what groups gave up on, found, sent again, and dealt with."""

import time
from collections.abc import Sequence
from typing import Final, Literal

from ...models import BulkAction, DeadLetter
from .. import exit_codes
from ..confirming import confirm
from ..output import Output, remark
from ..parsing import Options, Parser, Verbs, whole_number
from ..progress import Progress
from ..running import run
from ..server import Server, connect
from ..wrong_use import WrongUse

_FILTERS: Final = ("stream", "group", "reason", "type", "text", "since", "until")
_PAUSE_SECONDS: Final = 0.5


def dead_letters(words: Sequence[str]) -> int:
    """List and show dead letters, send them again, or give up on them."""
    return run(words, build_parser(), lambda options: options.act(options))


def build_parser() -> Parser:
    verbs = Verbs("dead-letters", "Events that groups gave up on.")
    listed = verbs.add("list", "list them, the newest first", _list)
    _add_filters(listed)
    listed.add_argument("--status", default="open", help="open, redriven, resolved or discarded (%(default)s)")
    listed.add_argument("--max", type=whole_number, default=50, metavar="N", help="so many at most (%(default)s)")
    show = verbs.add("show", "show one with its payload and attempts", _show)
    show.add_argument("one", type=whole_number, metavar="ID")
    for verb, does in (("redrive", "send them to their groups again"), ("discard", "give up on them for good")):
        dealt = verbs.add(verb, f"{does}: by their ids, or all open ones that a filter finds", _deal)
        dealt.add_argument("id", type=whole_number, nargs="*", metavar="ID")
        _add_filters(dealt)
        dealt.add_argument("--note", default="", help="why, for whoever asks later")
        dealt.add_argument("--per-second", type=whole_number, metavar="N", help="so many a second")
        dealt.add_argument("--dry-run", action="store_true", help="only say how many")
        dealt.add_argument("--yes", action="store_true", help="do not ask")
        dealt.set_defaults(verb=verb)
    return verbs.parser


def _add_filters(parser: Parser) -> None:
    filters = parser.add_argument_group("filter")
    for name in _FILTERS:
        filters.add_argument(f"--{name}", help="a time with its zone" if name in ("since", "until") else None)


class _Options(Options):
    one: int
    id: list[int]
    status: str
    max: int
    note: str
    per_second: int | None
    dry_run: bool
    yes: bool
    verb: Literal["redrive", "discard"]


def _wanted(options: _Options) -> dict[str, str]:
    return {name: value for name in _FILTERS if (value := getattr(options, name)) is not None}


def _list(options: _Options) -> int:
    found: list[DeadLetter] = []
    with connect(options) as server:
        for each in server.dead_letters.list(status=options.status, **_wanted(options)):
            if len(found) == options.max:
                remark(f"There are more than {options.max:,}: --max shows more.")
                break
            found.append(each)
    rows = [
        [
            str(each.id),
            each.created_at,
            each.stream,
            each.group,
            f"{each.partition}/{each.offset}",
            each.reason,
            each.last_error,
        ]
        for each in found
    ]
    Output(options).table(["id", "since", "stream", "group", "event", "reason", "error"], rows, found)
    return exit_codes.DONE


def _show(options: _Options) -> int:
    with connect(options) as server:
        letter = server.dead_letters.get(options.one)
    facts = {name.replace("_", " "): getattr(letter, name) for name in letter.__struct_fields__[:-3]}
    facts["payload"] = None if letter.event is None else bytes(letter.event.raw_payload).decode()
    for attempt in letter.attempts:
        facts[f"attempt {attempt.number}"] = f"{attempt.outcome} by {attempt.consumer or '?'}: {attempt.error}"
    Output(options).facts(facts, letter)
    return exit_codes.DONE


def _deal(options: _Options) -> int:
    wanted = _wanted(options)
    if bool(options.id) == bool(wanted):
        raise WrongUse("Give ids or a filter, one of them: everything at once is nobody's wish.")
    with connect(options) as server:
        return _deal_by_id(server, options) if options.id else _deal_by_filter(server, options, wanted)


def _deal_by_id(server: Server, options: _Options) -> int:
    if options.dry_run:
        found = [server.dead_letters.get(each) for each in options.id]
        Output(options).table(["id", "status"], [[str(each.id), each.status] for each in found], found)
        return exit_codes.DONE
    if options.verb == "discard":
        confirm(f"Give up on {len(options.id):,} dead letters for good?", is_given=options.yes)
    act = server.dead_letters.redrive if options.verb == "redrive" else server.dead_letters.discard
    for each in options.id:
        letter = act(each, note=options.note)
        Output(options).done(f"{letter.id}  {letter.status}", letter)
    return exit_codes.DONE


def _deal_by_filter(server: Server, options: _Options, wanted: dict[str, str]) -> int:
    preview = server.dead_letters.count(options.verb, **wanted)
    if options.dry_run:
        Output(options).done(f"{preview.count:,}{'' if preview.is_exact else ' or more'}", preview)
        return exit_codes.DONE
    what = "Send to their groups again" if options.verb == "redrive" else "Give up for good on"
    confirm(f"{what}: {preview.count:,}{'' if preview.is_exact else ' or more'} dead letters?", is_given=options.yes)
    act = server.dead_letters.redrive_all if options.verb == "redrive" else server.dead_letters.discard_all
    action = _finished(server, act(per_second=options.per_second, note=options.note, **wanted))
    Output(options).done(f"{action.done_count:,} of {action.total_count:,}: {action.status}", action)
    return exit_codes.DONE if action.cancelled_at is None else exit_codes.FAILED


def _finished(server: Server, action: BulkAction) -> BulkAction:
    """Wait for what the server does in the background; interrupted, it goes on there."""
    with Progress() as progress:
        while action.finished_at is None and action.cancelled_at is None:
            progress.tell(f"{action.done_count:,} of {action.total_count:,}; Ctrl-C leaves it to the server")
            time.sleep(_PAUSE_SECONDS)
            action = server.dead_letters.bulk_action(action.id)
    return action
