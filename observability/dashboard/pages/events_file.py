"""What a search in a stream's events finds, as a file: one event a line as consumers read it, or for a spreadsheet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.database_threads import give_connection_back
from accounts.errors import DomainError, InvalidParameter
from accounts.http.downloads import Download
from accounts.permissions import MayConsume
from accounts.roles import Right
from accounts.services.authenticate_browser import authenticate_browser
from observability.dashboard.page import Page
from observability.dashboard.pages.events import Search, partitions_of, scan_of, search_of
from observability.dashboard.queries.event_scan import Scan, write_positions
from observability.dashboard.queries.stream_pages import describe_stream
from observability.dashboard.spreadsheets import line_writer
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, require_stream
from streams.stored_event import decode_event

# Where the file ends though the search does not; its last line then says so. So it does where the right to it ends.
MOST_EVENTS = 10_000
MOST_LOOKED_AT = 200_000
MOST_BYTES = 64 * 1024 * 1024
# A piece lies in memory until it was taken. How large events are, the first one tells.
FIRST_EVENTS = 20
PIECE_EVENTS = 500
PIECE_BYTES = 2 * 1024 * 1024
COLUMNS = (
    *("partition", "offset", "recorded_at", "id", "type", "key", "occurred_at", "headers", "payload", "erased_at"),
    *("due_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a file ended before its search: what it has, what was looked at for it, and where the rest begins."""

    events: int
    looked_at: int
    left: int
    go_on_at: str


class EventsFile(Page):
    """The events of a search, in its order, from where it begins; the same rights as its page."""

    section = "streams"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str) -> HttpResponseBase:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        kind = request.GET.get("as", "ndjson")
        if kind not in _KINDS:
            raise InvalidParameter("as", "Write ndjson or csv.")
        content_type, write = _KINDS[kind]
        search = search_of(request)
        partitions = partitions_of(heading.info, search)
        at = request.GET.get("at", "")
        # Here, so that what is wrong with the search is a page and not half a file.
        first = scan_of(search, partitions, at, limit=min(FIRST_EVENTS, PIECE_EVENTS))
        may_go_on = partial(_may_go_on, str(request.session.session_key), heading.info)
        return Download(
            write(_pieces(search, partitions, first, may_go_on)),
            caller=self.caller,
            name=f"{heading.name}-events.{kind}",
            content_type=content_type,
        )


def _may_go_on(session_key: str, stream: StreamInfo) -> bool:
    """Whether who asked for the file might ask for it again: a slow reader takes hours for it."""
    try:
        found = require_stream(authenticate_browser(session_key), stream.name, Right.CONSUME)
    except DomainError:
        return False
    return found.id == stream.id


def _pieces(
    search: Search, partitions: Iterable[PartitionRef], first: Scan, may_go_on: Callable[[], bool]
) -> Iterator[list[bytes] | Cut]:
    """Yield the events piece by piece, and in the end where they were cut, if they were.

    Each piece is one bounded look at the log, between which no thread and no connection is held.
    """
    scan, places = first, tuple(partitions)
    events, looked_at, size = 0, 0, 0
    while True:
        looked_at += scan.scanned
        found = list(scan.events)
        events += len(found)
        size += sum(map(len, found))
        give_connection_back()
        yield found
        if scan.is_done:
            return
        is_full = events >= MOST_EVENTS or looked_at >= MOST_LOOKED_AT or size >= MOST_BYTES
        if is_full or not may_go_on():
            yield Cut(events, looked_at, scan.left, write_positions(scan.positions))
            return
        fitting = PIECE_BYTES * events // size if size else PIECE_EVENTS
        limit = min(max(1, fitting), PIECE_EVENTS, MOST_EVENTS - events)
        scan = scan_of(search, places, write_positions(scan.positions), limit=limit)


def _ndjson(pieces: Iterable[list[bytes] | Cut]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, Cut):
            yield orjson.dumps({"cut": piece}) + b"\n"
        elif piece:
            yield b"\n".join(piece) + b"\n"


def _csv(pieces: Iterable[list[bytes] | Cut]) -> Iterator[str]:
    line = line_writer()
    yield line(COLUMNS)
    for piece in pieces:
        if isinstance(piece, Cut):
            told = f"{piece.events} events of {piece.looked_at} looked at; {piece.left} more to look at"
            yield line((f"cut here: {told}, with at={piece.go_on_at} in the address",))
        elif piece:
            yield "".join(line(_row(raw)) for raw in piece)


def _row(raw: bytes) -> tuple[object, ...]:
    event = decode_event(raw)
    return (
        event.partition,
        event.offset,
        event.recorded_at,
        event.id,
        event.type,
        event.key,
        event.occurred_at,
        orjson.dumps(event.headers).decode() if event.headers else "",
        "" if event.erased else event.payload_text,
        event.erased.at if event.erased else None,
        event.due_at,
        event.expires_at,
    )


_Write = Callable[[Iterable[list[bytes] | Cut]], Iterator[bytes] | Iterator[str]]
_KINDS: dict[str, tuple[str, _Write]] = {
    "ndjson": ("application/x-ndjson", _ndjson),
    "csv": ("text/csv", _csv),
}
