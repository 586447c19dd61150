"""`eventflow tail`: see a stream's events."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ...models import Event, Gap
from ...paths import of_stream
from ...positions import read_positions
from ...requests import get
from .. import exit_codes
from ..live import live_events
from ..output import Output, cell, json_for_terminal, one_line, remark, sayable_json, show_now, write
from ..parsing import Options, Parser, make_parser, split_words, whole_number
from ..places import before_the_last
from ..running import run
from ..server import Server, connect

# As the program of that name does.
_LAST_OF_WHAT_IS_THERE: Final = 10
_WORDS: Final = ("earliest", "latest")
_page = msgspec.json.Decoder(list[msgspec.Raw])


def tail(words: Sequence[str]) -> int:
    """See a stream's events as they come, with those before them if you like."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "tail",
        "Show events as they are stored: time, partition/offset, type, key, payload. No group is needed, and none "
        "moves. A connection that breaks is made anew, and goes on where it ended.",
    )
    parser.add_argument("stream", metavar="STREAM")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "-n",
        "--last",
        type=whole_number,
        metavar="N",
        help="the last N of each partition first (0; 10 with --no-follow)",
    )
    begin.add_argument(
        "--after",
        metavar="OFFSET",
        help="begin after this one: `earliest`, a number, or `0=18,1=7` for several partitions",
    )
    parser.add_argument("--no-follow", action="store_true", help="end at the last event that is there")
    parser.add_argument("--max", type=whole_number, metavar="N", help="end after so many")
    parser.add_argument("--partition", type=whole_number, metavar="N", help="only this one")
    parser.add_argument("--type", action="append", default=[], help="only these; may be repeated")
    parser.add_argument("--payload", action="store_true", help="only the payloads, as JSON")
    return parser


class _Options(Options):
    stream: str
    last: int | None
    after: str | None
    no_follow: bool
    max: int | None
    partition: int | None
    type: list[str]
    payload: bool


def _act(options: _Options) -> int:
    show = _Shown(options)
    left = options.max
    if left == 0:
        return exit_codes.DONE
    with connect(options) as server:
        last = options.last if options.last is not None else _LAST_OF_WHAT_IS_THERE * options.no_follow
        place = options.after or before_the_last(server, options.stream, last, options.partition)
        types = split_words(options.type)
        for each in (_kept if options.no_follow else _live)(server, options, place, types):
            if isinstance(each, Gap):
                remark(f"{each.partition}/{each.first_offset} to {each.last_offset} are gone: retention took them.")
                continue
            show.event(each)
            if not options.no_follow:
                show_now()
            if left is not None and (left := left - 1) == 0:
                break
    return exit_codes.DONE


def _live(server: Server, options: _Options, place: str, types: Sequence[str]) -> Iterator[bytes | Gap]:
    return iter(live_events(server, options.stream, place=place, partition=options.partition, types=types))


def _kept(server: Server, options: _Options, place: str, types: Sequence[str]) -> Iterator[bytes | Gap]:
    """Yield what is there, page by page, to the first page that has nothing and leads no further."""
    path = f"{of_stream(options.stream)}/events"
    while True:
        answer = server.transport.send(
            get(path, last_offset=place, partition=options.partition, limit=1000, type=",".join(types) or None)
        )
        events = _page.decode(answer.body)
        yield from map(bytes, events)
        following = answer.headers["eventflow-next-offset"]
        if not events and place not in _WORDS and read_positions(following) == read_positions(place):
            return
        place = following


@dataclass(frozen=True, slots=True)
class _Shown:
    """How an event is shown: as JSON as it came, its payload alone, or a line for people."""

    options: _Options

    def event(self, content: bytes) -> None:
        self._way()(content)

    def _way(self) -> Callable[[bytes], None]:
        if self.options.payload:
            return lambda content: Output(self.options).json(msgspec.json.decode(content, type=Event).raw_payload)
        if self.options.json:
            return Output(self.options).json
        return _line


def _line(content: bytes) -> None:
    event = msgspec.json.decode(content, type=Event)
    payload = sayable_json(json_for_terminal(one_line(bytes(event.raw_payload).decode())))
    time = event.recorded_at.strftime("%H:%M:%S.%f")[:-3]
    write(f"{time}  {event.partition}/{event.offset}  {cell(event.type)}  {cell(event.key)}  {payload}")
