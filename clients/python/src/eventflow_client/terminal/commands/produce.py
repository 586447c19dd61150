"""`eventflow produce`: append events."""

import sys
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ..._sync.producer import Producer
from ...batch_outcome import read_appended
from ...encoding import encode_event
from ...errors import NotInTime, NotJson
from ...producing import ProducerSettings, append_to
from ...sync_kit import Pending
from .. import exit_codes
from ..moments import delay, span
from ..new_events import BadLine, Common, Form, check, numbered_lines, read_event
from ..output import Output, remark
from ..parsing import Options, Parser, make_parser, pair
from ..progress import Progress
from ..running import code_of, run
from ..server import Server, connect
from ..wrong_use import WrongUse

_MANY: Final = 20


def produce(words: Sequence[str]) -> int:
    """Append one event, or one for each line of standard input."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "produce",
        "Append PAYLOAD as one event, or without one each line of standard input. Each is stored once, whatever is "
        "lost on the way, and those of one key in their order. What is refused is named by its line, the rest stored.",
    )
    parser.add_argument("stream", metavar="STREAM")
    parser.add_argument("payload", metavar="PAYLOAD", nargs="?", help="JSON, or any text with --text")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", dest="form", action="store_const", const="text", help="payloads are text, not JSON")
    form.add_argument(
        "--events",
        dest="form",
        action="store_const",
        const="events",
        help='lines are whole events, {"payload": …, "type": …, "key": …}, as `tail --json` writes them',
    )
    parser.add_argument("--type", help="the events' type")
    parser.add_argument("--key", help="the events' key")
    parser.add_argument("--key-field", metavar="NAME", help="the payloads' field that has the key")
    parser.add_argument(
        "--header", type=pair, action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument(
        "--deliver-after",
        type=delay,
        metavar="WHEN",
        help="lease mode hands them out then: seconds, 90s, 30m, 2h, 7d, or a time with its zone",
    )
    parser.add_argument(
        "--expires-after", type=span, metavar="HOW LONG", help="lease mode hands them out no more after so long: 2h"
    )
    parser.add_argument(
        "--idempotency-key", metavar="TEXT", help="the same one again stores nothing again, for a day; for one PAYLOAD"
    )
    parser.set_defaults(form="json")
    return parser


class _Options(Options):
    stream: str
    payload: str | None
    form: Form
    type: str | None
    key: str | None
    key_field: str | None
    header: list[tuple[str, str]]
    deliver_after: datetime | float | None
    expires_after: float | None
    idempotency_key: str | None


def _act(options: _Options) -> int:
    common = Common(
        options.form,
        options.type,
        options.key,
        options.key_field,
        dict(options.header) or None,
        options.deliver_after,
        options.expires_after,
    )
    check(common)
    if options.payload is None and options.idempotency_key:
        raise WrongUse("--idempotency-key is for one PAYLOAD; lines have keys of their own.")
    if options.payload is None and sys.stdin.isatty():
        remark("One event for each line; Ctrl-D ends.")
    with connect(options) as server:
        if options.payload is not None:
            return _append_one(server, options, common)
        return _Lines(server, options, common).append_all()


def _append_one(server: Server, options: _Options, common: Common) -> int:
    assert options.payload is not None
    try:
        body = encode_event(**read_event(options.payload.encode(errors="surrogateescape"), common))
    except BadLine as error:
        raise WrongUse(f"PAYLOAD: {error}.") from error
    request = append_to(options.stream, [body], idempotency_key=options.idempotency_key)
    [where] = read_appended(server.transport.send(request).body)
    Output(options).done(f"{where.stream} {where.partition}/{where.offset}", where)
    return exit_codes.DONE


class _Lines:
    """Lines on their way: what is settled is counted, what failed is told with its line."""

    def __init__(self, server: Server, options: _Options, common: Common) -> None:
        self._server = server
        self._options = options
        self._common = common
        self._under_way: deque[tuple[int, Pending]] = deque()
        self._stored = 0
        self._failed: Counter[int] = Counter()

    def append_all(self) -> int:
        is_interrupted = False
        settings = ProducerSettings(give_up_seconds=self._options.timeout, close_seconds=self._options.timeout * 2)
        with Progress() as progress, Producer(self._server.transport, settings) as producer:
            try:
                for number, line in numbered_lines(sys.stdin.buffer):
                    self._append(producer, number, line)
                    self._settle(progress)
                    if exit_codes.NOT_ALLOWED in self._failed or exit_codes.NOT_THERE in self._failed:
                        # The rest would be refused alike.
                        break
                self._settle(progress, wait=True)
            except KeyboardInterrupt:
                # What was read goes all the same; a second one ends that too.
                is_interrupted = True
                self._settle(progress, wait=True)
        self._report()
        return exit_codes.INTERRUPTED if is_interrupted else self._code()

    def _append(self, producer: Producer, number: int, line: bytes) -> None:
        try:
            self._under_way.append((number, producer.enqueue(self._options.stream, **read_event(line, self._common))))
        except (BadLine, NotJson, NotInTime) as error:
            self._fail(number, str(error), exit_codes.NO_ANSWER if isinstance(error, NotInTime) else exit_codes.FAILED)

    def _settle(self, progress: Progress, *, wait: bool = False) -> None:
        while self._under_way and (wait or self._under_way[0][1].done()):
            number, pending = self._under_way[0]
            error = pending.exception()
            self._under_way.popleft()
            if error is None:
                self._stored += 1
            else:
                self._fail(number, str(error), code_of(error))
            progress.tell(f"{self._stored:,} stored, {len(self._under_way):,} under way")

    def _fail(self, number: int, text: str, code: int) -> None:
        self._failed[code] += 1
        if self._failed.total() <= _MANY:
            remark(f"line {number}: {text}")
        elif self._failed.total() == _MANY + 1:
            remark("… and so on: no more of them are told.")

    def _report(self) -> None:
        unknown = self._failed[exit_codes.UNKNOWN]
        counts = {"stored": self._stored, "failed": self._failed.total() - unknown, "unknown": unknown}
        told = f"{self._stored:,} stored"
        if counts["failed"]:
            told += f", {counts['failed']:,} not stored"
        if unknown:
            told += f", of {unknown:,} nobody knows"
        Output(self._options).done(told, counts)

    def _code(self) -> int:
        """Return the worst that happened to any line; a single kind of failure keeps its own code."""
        if exit_codes.UNKNOWN in self._failed:
            return exit_codes.UNKNOWN
        if len(self._failed) == 1:
            return next(iter(self._failed))
        return exit_codes.FAILED if self._failed else exit_codes.DONE
