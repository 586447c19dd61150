"""`eventflow groups`: consumer groups, made, paused and looked at."""

from collections.abc import Sequence

from ...models import Group
from .. import exit_codes
from ..output import Output
from ..parsing import Options, Parser, Verbs, seconds
from ..running import run
from ..server import connect


def groups(words: Sequence[str]) -> int:
    """List, make, pause, resume and delete consumer groups."""
    return run(words, build_parser(), lambda options: options.act(options))


def build_parser() -> Parser:
    verbs = Verbs("groups", "Consumer groups of a stream.")
    verbs.add("list", "list a stream's groups", _list, "stream")
    verbs.add("show", "show a group's settings", _show, "stream", "group")
    create = verbs.add(
        "create", "make a group; an equal one that is there already is as good", _create, "stream", "group"
    )
    create.add_argument("--mode", choices=("offset", "lease"), default="offset", help="for good (%(default)s)")
    create.add_argument("--start", choices=("earliest", "latest"), default="earliest", help="(%(default)s)")
    create.add_argument("--ack-wait", type=seconds, metavar="SECONDS", help="of lease mode: how long a lease lasts")
    verbs.add("pause", "give the group nothing for now", _pause, "stream", "group")
    verbs.add("resume", "go on giving", _resume, "stream", "group")
    delete = verbs.add("delete", "delete a group with its dead letters", _delete, "stream", "group")
    delete.add_argument("--confirm", required=True, metavar="GROUP", help="its name once more")
    return verbs.parser


class _Options(Options):
    stream: str
    group: str
    mode: str
    start: str
    ack_wait: float | None
    confirm: str


def _list(options: _Options) -> int:
    with connect(options) as server:
        found = list(server.groups.list(options.stream))
    rows = [[each.name, each.mode, each.lag, each.lost, each.paused, each.owner] for each in found]
    Output(options).table(["group", "mode", "lag", "lost", "paused", "owner"], rows, found)
    return exit_codes.DONE


def _show(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.groups.get(options.stream, options.group))


def _create(options: _Options) -> int:
    ack_wait = None if options.ack_wait is None else int(options.ack_wait)
    with connect(options) as server:
        made = server.groups.create(
            options.stream, options.group, mode=options.mode, start=options.start, ack_wait=ack_wait
        )
        return _tell(options, made)


def _pause(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.groups.change(options.stream, options.group, paused=True))


def _resume(options: _Options) -> int:
    with connect(options) as server:
        return _tell(options, server.groups.change(options.stream, options.group, paused=False))


def _delete(options: _Options) -> int:
    with connect(options) as server:
        server.groups.delete(options.stream, options.group, confirm=options.confirm)
    told = {"stream": options.stream, "group": options.group, "deleted": True}
    Output(options).done(f"Deleted {options.group} of {options.stream}.", told)
    return exit_codes.DONE


def _tell(options: _Options, group: Group) -> int:
    names = [name for name in group.__struct_fields__ if name not in ("stream", "members")]
    Output(options).facts({name.replace("_", " "): getattr(group, name) for name in names}, group)
    return exit_codes.DONE
