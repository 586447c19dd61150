"""Appends: records sent, their reports waited for, and what that means for the request."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from accounts.latches import Latch, LoopLatch, ThreadLatch
from accounts.long_work import off_the_loop_if_long
from streams.conf import COMMIT_TIMEOUT_SECONDS
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.kafka.places import Place
from streams.log.kafka.producing import LogProducer, Session
from streams.log.kafka.ranges import range_of, stored_in_order
from streams.log.kafka.sent import SentAppend, Stored
from streams.log.kafka.tagging import header_of
from streams.log.protocol import AppendedRange, PartitionAppend
from streams.record_lines import RecordLines, size_of

NOTHING_FOUND: Final[Mapping[int, Stored]] = {}

Placed = Sequence[tuple[PartitionAppend, Place]]


class Fenced(Exception):
    """A fence has refused what was not stored: of each append, where the rest of it is."""

    def __init__(self, stored: Sequence[Sequence[Stored]]) -> None:
        super().__init__("the topic takes nothing more")
        self.stored = stored


class Tagged:
    """A request whose records carry whose they are.

    Attributes:
        tag: 16 bytes that no other request has.
        found: the records that an earlier try of it has stored, by their position in what is sent now.
        places: of the records that are sent now in their request; None: they are all of it.
    """

    __slots__ = ("found", "places", "tag")

    def __init__(self, tag: bytes, found: Mapping[int, Stored], places: Sequence[int] | None = None) -> None:
        self.tag = tag
        self.found = found
        self.places = places

    def header(self, position: int) -> tuple[str, bytes]:
        return header_of(self.tag, position if self.places is None else self.places[position])


class Sender:
    """Sends appends and waits for them; from any thread, and on any loop."""

    def __init__(self, producer: LogProducer) -> None:
        self._producer = producer

    def send(self, placed: Placed, tagged: Tagged | None = None) -> Sequence[AppendedRange]:
        """Store an append; the errors are those of `Log.append`, and `Fenced`."""
        latch = ThreadLatch()
        session, sent = self._begin(placed, tagged, latch)
        try:
            latch.wait(COMMIT_TIMEOUT_SECONDS)
        finally:
            session.end(sent)
        return _ranges(placed, sent, tagged)

    async def send_async(self, placed: Placed, tagged: Tagged | None = None) -> Sequence[AppendedRange]:
        """Do the same, and let the loop go on meanwhile."""
        latch = LoopLatch()
        size = sum(size_of(append.records) for append, _ in placed)
        session, sent = await off_the_loop_if_long(partial(self._begin, placed, tagged, latch), size=size)
        try:
            await latch.wait(COMMIT_TIMEOUT_SECONDS)
        finally:
            session.end(sent)
        return _ranges(placed, sent, tagged)

    def probe(self, placed: Placed) -> bool:
        """Send records that nobody wants stored; return whether a fence has refused each of them."""
        latch = ThreadLatch()
        session, sent = self._begin(placed, None, latch)
        try:
            latch.wait(COMMIT_TIMEOUT_SECONDS)
        finally:
            session.end(sent)
        return len(sent.of_partitions) == len(placed) and all(each.is_fenced for each in sent.of_partitions)

    def _begin(self, placed: Placed, tagged: Tagged | None, latch: Latch) -> tuple[Session, SentAppend]:
        session = self._producer.session()
        sent = session.begin(
            latch,
            records=sum(len(append.records) for append, _ in placed),
            size=sum(size_of(append.records) for append, _ in placed),
        )
        try:
            sent.expect(self._queue(session, placed, sent, tagged))
        except BaseException:
            session.end(sent)
            raise
        return session, sent

    def _queue(self, session: Session, placed: Placed, sent: SentAppend, tagged: Tagged | None) -> int:
        queued = index = 0
        for append, place in placed:
            into = sent.begin_partition()
            if tagged is None:
                queued += session.send(place, append.records, append.keys, into)
            else:
                keys = append.keys or [None] * len(append.records)
                missing = [
                    (record, key, [tagged.header(at)])
                    for at, (record, key) in enumerate(zip(append.records, keys, strict=True), index)
                    if at not in tagged.found
                ]
                queued += session.send_with_headers(place, missing, into)
            index += len(append.records)
            if into.refusals:
                # Less of it would be stored than all, so rather nothing more of it.
                break
        return queued


def _ranges(placed: Placed, sent: SentAppend, tagged: Tagged | None) -> Sequence[AppendedRange]:
    found = NOTHING_FOUND if tagged is None else tagged.found
    if sent.is_fenced:
        stored = [list(each.in_order()) for each in sent.of_partitions]
        raise Fenced([*stored, *[[] for _ in placed[len(stored) :]]])
    try:
        sent.check()
    except AppendNotStored as error:
        if found:
            raise AppendOutcomeUnknown from error
        raise
    ranges: list[AppendedRange] = []
    index = 0
    for (append, place), records in zip(placed, sent.of_partitions, strict=True):
        here = {at - index: found[at] for at in range(index, index + len(append.records)) if at in found}
        ranges.append(range_of(append, place, stored_in_order(len(append.records), records, here)))
        index += len(append.records)
    return ranges


def check_records(appends: Sequence[PartitionAppend], *, max_bytes: int) -> None:
    """Return if the log may store these.

    Raises:
        ValueError: there are none, or one is not a JSON object on one line.
        AppendNotStored: one is larger than the brokers take.
    """
    if not appends or not all(append.records for append in appends):
        raise ValueError("an append holds at least one event for each of its partitions")
    for append in appends:
        are_lines = isinstance(append.records, RecordLines)
        for record in append.records:
            if not record.startswith(b"{") or (not are_lines and b"\n" in record):
                raise ValueError("a record is a JSON object on one line")
            if len(record) > max_bytes:
                raise AppendNotStored("An event is larger than Kafka takes. Nothing was stored.")
