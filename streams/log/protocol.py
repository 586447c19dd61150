"""The seam between the log and all that has policy: bytes in a partition.

Nothing outside `streams/log/` touches how events are stored. An engine knows neither callers, schemas,
groups, retention rules nor HTTP; a caller of an engine knows neither batches nor SQL.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from streams.conf import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_PARTITIONS,
    MERGE_MAX_SPAN_SECONDS,
    NOT_IN_QUARANTINE,
    POSTGRES,
)


class Capability(StrEnum):
    """What an engine can promise beyond what every engine does. What it lacks is refused, never weakened silently."""

    # The receipt of an append is stored if and only if its events are.
    RECEIPT_IN_SAME_TRANSACTION = "receipt_in_same_transaction"
    # An append to several partitions is stored wholly or not at all.
    ATOMIC_APPEND = "atomic_append"
    # The events of an append lie side by side: one run for each PartitionAppend.
    CONTIGUOUS_APPEND = "contiguous_append"
    # Retention takes whole batches, at most so many at once; else it takes exactly what may go, all at once.
    TRIM_IN_STEPS = "trim_in_steps"
    # Retention keeps to a number of bytes; else the engine does by itself what it can.
    TRIM_BY_BYTES = "trim_by_bytes"
    # Events whose ids the stream has had are not stored again.
    DEDUPLICATION = "deduplication"
    # Events are stored only if the partition ends where they expect it.
    EXPECTED_HEAD = "expected_head"
    # Small batches are put together.
    MERGE = "merge"
    # One event can be erased, and its erasure held off for a moment.
    ERASE = "erase"
    # `Bounds.timed_through` tells of events for later, and of those that expire.
    TIMED = "timed"
    # Appends can be refused that were placed among fewer partitions: so partitions can be added.
    PLACE_AMONG = "place_among"
    # These every engine has, and a stream that shows somebody else's topic lacks: it takes events (unless it is
    # read-only), has them deleted by age and count, and hands them out in lease mode.
    APPEND = "append"
    RETENTION = "retention"
    LEASE = "lease"


EVERY_CAPABILITY: Final = frozenset(Capability)
# What no engine can lack.
LEAST: Final = frozenset({Capability.APPEND, Capability.RETENTION, Capability.LEASE})


class Epoch(NamedTuple):
    """A stretch of a partition's offsets whose events lie in one engine, beside the installation's own or in it.

    Attributes:
        number: from 1 on, in the order of the offsets.
        engine: its alias in the settings.
        topic, topic_id: what the engine calls the place of all the stream's partitions, and that place alone.
        first_offset: of the stretch.
        last_offset: of the stretch; None: it goes on, and here the partition is appended to.
        base: what is added to the engine's own offset to get ours.
        quarantine: why nothing is read there or appended to; empty: all is well.
        is_external: somebody else's topic, which others write: there may be holes in the offsets, and it is never
            altered, trimmed or deleted.
        is_read_only: nothing is appended to it.
    """

    number: int
    engine: str
    topic: str = ""
    topic_id: str = ""
    first_offset: int = 1
    last_offset: int | None = None
    base: int = 0
    quarantine: str = NOT_IN_QUARANTINE
    is_external: bool = False
    is_read_only: bool = False


# Where a partition lies that has no epochs.
POSTGRES_EPOCH: Final = Epoch(1, POSTGRES)


class PartitionRef(NamedTuple):
    """Which partition: its database id, what its events call it, and where they lie.

    Attributes:
        epochs: in the order of the offsets, the last one open; none: all of them are in PostgreSQL. An engine that is
            asked gets its own one alone.
    """

    id: int
    stream: str
    number: int
    epochs: tuple[Epoch, ...] = ()

    @property
    def engine(self) -> str:
        """The alias of the engine that it is appended to."""
        return self.epochs[-1].engine if self.epochs else POSTGRES


class TopicSpec(NamedTuple):
    """What a stream wants of the place that an engine makes for its partitions.

    Attributes:
        first_offset: with which its events begin there.
        epoch_number: of the stretches that begin there.
        max_bytes: retention by bytes, of all partitions together; None: without.
        allow_weak: also where the engine could lose what it has stored; else it refuses.
    """

    first_offset: int = 1
    epoch_number: int = 1
    max_bytes: int | None = None
    allow_weak: bool = False


class TopicSight(NamedTuple):
    """How a topic is now.

    Attributes:
        topic_id: another one than was noted: it was deleted, and made anew under the same name.
        partitions: how many it has.
    """

    topic_id: str
    partitions: int


class TopicTroubles(NamedTuple):
    """What is wrong with topics that work still, or not everywhere. Counts are of partitions.

    Attributes:
        under_replicated: that have fewer replicas in sync than replicas.
        below_minimum: that have fewer in sync than have to store an append, which is not answered there.
        leaderless: that nobody leads: nothing is read of them or appended.
        words: a sentence for each kind of trouble, for everybody.
        names: of each sentence some topics or partitions, for those who run the installation.
    """

    under_replicated: int = 0
    below_minimum: int = 0
    leaderless: int = 0
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Deduplication(NamedTuple):
    """The ids of an append's events: an event is not stored whose id its stream has met within the window.

    `stream_id` is that of the partition. `digests` has one of 16 bytes for each record, in their order: the same for
    the same id, and for no other. `are_new`: the ids were made for these events, so nobody can have had them before.
    """

    stream_id: int
    window_seconds: int
    digests: Sequence[bytes]
    are_new: bool = False


class PartitionAppend(NamedTuple):
    """Events for one partition, in order: each record is one event as JSON on one line.

    A record is a JSON object `{"id":…,"type":…,…,"payload":…}` without a raw newline.

    Attributes:
        deduplication: which of them may have been stored before; None: each is stored.
        expected_head: store them only if this is the partition's head; None: whatever it is. An append whose events
            are all repeated does not ask, as it changes nothing.
        timed: the positions, ascending, of its events that are for later or expire.
        placed_among: how many partitions the stream had for whoever chose this one by the events' keys. Unless it is
            said, the choice did not depend on it.
        keys: of the events, in their order, for an engine whose own clients look at them; or none.
    """

    partition: PartitionRef
    records: Sequence[bytes]
    deduplication: Deduplication | None = None
    expected_head: int | None = None
    placed_among: int = MAX_PARTITIONS
    timed: Sequence[int] = ()
    keys: Sequence[bytes | None] = ()


class EarlierEvent(NamedTuple):
    """The event that had an id first: it may be in another partition of the stream."""

    partition_number: int
    offset: int
    recorded_at: datetime


NO_REPEATS: Mapping[int, EarlierEvent] = MappingProxyType({})


class Run(NamedTuple):
    """Offsets of neighbouring events that were recorded at one moment, both included."""

    first_offset: int
    last_offset: int
    recorded_at: datetime


class AppendedRange(NamedTuple):
    """Where an append went.

    Attributes:
        runs: the offsets of its events, in their order: ascending, with what others have appended in between, which
            an engine with CONTIGUOUS_APPEND has not: there it is one run. None: all of its events are repeated.
        repeats: the events that were not stored, by their position in the append, with those that had their ids
            first. The others have the offsets, in order.
    """

    partition: PartitionRef
    runs: Sequence[Run]
    repeats: Mapping[int, EarlierEvent] = NO_REPEATS

    @property
    def first_offset(self) -> int:
        """The offset of the first event that was stored; 1 if none was."""
        return self.runs[0].first_offset if self.runs else 1

    @property
    def last_offset(self) -> int:
        """The offset of the last event that was stored; 0 if none was."""
        return self.runs[-1].last_offset if self.runs else 0

    @property
    def recorded_at(self) -> datetime:
        """When the last event was recorded that was stored; if none was, when a repeated one was."""
        return self.runs[-1].recorded_at if self.runs else next(iter(self.repeats.values())).recorded_at


class Found(NamedTuple):
    """Where an event is that was stored before."""

    offset: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What to remember of an append, in its own transaction, so that a retry is answered from memory.

    Attributes:
        caller: whose key this is (`Caller.reference`).
        key: the request's `Idempotency-Key`.
        request_hash: SHA-256 of what makes the request the same one.
        render: makes the response body from the ranges, in the order of the appends.
        is_claimed: its key was claimed before, in a transaction of its own, and is not completed.
    """

    caller: str
    key: str
    request_hash: bytes
    render: Callable[[Sequence[AppendedRange]], bytes]
    is_claimed: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """The append is durable.

    Attributes:
        ranges: one for each PartitionAppend, in the same order.
        body: what `Receipt.render` made, if there was a receipt.
        is_replay: nothing was stored now; `body` is the answer to the first such request (`ranges` is empty).
    """

    ranges: Sequence[AppendedRange]
    body: bytes | None = None
    is_replay: bool = False


class Gap(NamedTuple):
    """Offsets that a reader asked for and retention had taken, both included."""

    first_offset: int
    last_offset: int


class Bounds(NamedTuple):
    """The ends of a partition. `head_offset` is 0 while it is empty; nothing kept: earliest = head + 1.

    Attributes:
        timed_through: the highest offset of an event that is for later or expires, kept or not; 0: there was none.
    """

    earliest_offset: int
    head_offset: int
    last_recorded_at: datetime | None
    timed_through: int = 0

    @property
    def event_count(self) -> int:
        return self.head_offset - self.earliest_offset + 1


class SealedBounds(Bounds):
    """The ends, as last seen, of a partition that is appended to elsewhere; whoever thinks otherwise asks where."""

    __slots__ = ()


class OldestId(NamedTuple):
    """The event whose id is remembered longest, of a partition, and the partition's head."""

    offset: int
    recorded_at: datetime
    head_offset: int


class Front(NamedTuple):
    """The oldest events of a partition: those from `earliest_offset` on, and before `first_kept`.

    Attributes:
        kept_since: when the first event that stays was recorded; None: none does.
        is_cut: more than these would go; how many, nobody looked.
    """

    earliest_offset: int
    first_kept: int
    kept_since: datetime | None
    is_cut: bool = False


class ErasedEvent(NamedTuple):
    """An event without its payload and headers, as it is read from now on; `is_new`: it had them until now."""

    event: bytes
    is_new: bool


class MergeLimits(NamedTuple):
    """What merged batches may be; a batch that is larger already stays as it is.

    Attributes:
        recorded_before: newer events are left alone.
        after: so are those up to this offset.
        max_events, max_bytes: of one batch, the second unpacked; the engine's own limits come first.
        max_span: between the times of a batch's first and last event.
    """

    recorded_before: datetime
    after: int = 0
    max_events: int = MAX_BATCH_EVENTS
    max_bytes: int = MAX_BATCH_BYTES
    max_span: timedelta = timedelta(seconds=MERGE_MAX_SPAN_SECONDS)


class Merged(NamedTuple):
    """What one step of merging did.

    Attributes:
        batches: that many became fewer ...
        batches_gone: ... by so many.
        bytes_gone: by how much their stored size shrank.
        unreadable: batches that are damaged, left as they are and passed.
        is_done: another step would find nothing to do now.
    """

    batches: int = 0
    batches_gone: int = 0
    bytes_gone: int = 0
    unreadable: int = 0
    is_done: bool = True


class LogDamaged(Exception):
    """What is stored is missing where it has to be, or is not what was stored."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Events of one partition, in order.

    Attributes:
        events: each a complete JSON object that begins `{"partition":…,"offset":…,"recorded_at":…,`.
        offsets: the offset of each event.
        next_offset: go on reading after this one; callers never compute it themselves.
        bounds: the ends of the partition, as of this read.
        gap: what retention took between the asked-for offset and the first event here.
    """

    events: Sequence[bytes]
    offsets: Sequence[int]
    next_offset: int
    bounds: Bounds
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class LogHealth:
    """Whether the engine can keep its promise now, and if not, why."""

    is_writable: bool
    is_durable: bool
    reason: str = ""


PLAIN_TOPIC: Final = TopicSpec()
# Instead of an offset to look behind: where a partition ended a minute ago, or earlier. For what was sent since then.
JUST_NOW: Final = -1


class Log(Protocol):
    """An engine. Every method may be called from any thread.

    Whatever asks an engine that cannot be reached raises LogUnavailable; of an append nothing is stored then.

    Attributes:
        capabilities: what it can promise beyond the least. Whoever wants more of it gets NotOffered.
    """

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        """Store all events durably, and return where; of what is repeated, where it was stored first.

        All or nothing, with ATOMIC_APPEND; without, what was stored of an append with several partitions or batches
        may be a part when its outcome is unknown. Events of one PartitionAppend get ascending offsets in their order.
        Each holds at least one event. A receipt is taken by an engine with RECEIPT_IN_SAME_TRANSACTION only.

        Raises:
            HeadMoved: a partition's head is not the expected one; nothing was stored.
            PartitionGone: one of the partitions does not exist (any more), or events were placed among fewer than
                there are by now (`place_among`); nothing was stored. Look the stream up anew, and place them again.
            AppendNotStored: nothing was stored, now or later; the caller may send it again.
            AppendOutcomeUnknown: stored or not, nobody knows; retry with the same receipt.
            IdempotencyKeyReused: the receipt's key belongs to another request; nothing was stored.
            IdempotencyInProgress: a request with the receipt's key is being stored right now, elsewhere.
            StreamRecreated: the receipt's key was used, and where its events went is gone; nothing was stored.
            ValueError: no events, or a record that is not a JSON object on one line; nothing was stored.
        """
        ...

    async def append_async(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        """Do what `append` does, and let the event loop go on meanwhile; without a loop, block like it."""
        ...

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return the events that follow offset `after`.

        At least one event is returned if there is one, however large; otherwise at most `max_events`, whose
        JSON takes at most `max_bytes`. An event appended before the call is seen by it.

        Raises:
            PartitionGone: there is no such partition (any more).
            LogDamaged: what is stored there is missing or damaged.
        """
        ...

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends of each partition that exists, by partition id, in one query."""
        ...

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        """Return the offset of the first kept event recorded at or after `at`, or head + 1.

        Raises:
            PartitionGone: there is no such partition (any more).
        """
        ...

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        """Return when the first kept event after each offset was recorded, in one query.

        In the order of the positions; None where nothing follows.
        """
        ...

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        """Make a stream's partitions ready for appends; return where they are from now on, by id.

        Nothing is returned of partitions that lie where those without epochs do. Their rows need not be there yet: it
        is called before the transaction that shows them, never within one. Harmless when repeated: what exists is
        compared, and never altered.

        Raises:
            EngineRefuses: what exists there is not as it has to be, or the engine would be too weak, or may not.
        """
        ...

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        """Refuse appends to these partitions whose events were placed among fewer than `count`.

        It belongs to the caller's transaction: an append is either stored before that commits, or refused. So no key
        goes where it went before once somebody has placed it anew.
        """
        ...

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 1_000,
    ) -> int:
        """Delete whole batches from the front that any of the limits allows to go; return how many events went.

        By age a batch goes when its newest event may.
        At most `max_batches` go in one call, so that no transaction is long: call again until it returns 0.
        """
        ...

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 50_000,
    ) -> Mapping[int, Front]:
        """Return what `trim`, until it returns 0, would delete of each partition that exists, by id, in one query.

        By bytes each batch has to be weighed: at most `max_batches` are, of all partitions together.
        """
        ...

    def oldest_ids(self, partitions: Sequence[PartitionRef]) -> Mapping[int, OldestId]:
        """Return, by partition id, the oldest id that is remembered of each partition with any, in one query."""
        ...

    def partitions_with_ids(self, *, after: int, limit: int) -> Sequence[int]:
        """Return the ids of partitions, ascending, that have remembered ids; some of them may be gone."""
        ...

    def forget_ids(self, partition_id: int, *, recorded_before: datetime, up_to: int, max_ids: int = 5_000) -> int:
        """Forget the oldest ids of a partition: of events recorded before, or up to an offset; return how many.

        At most `max_ids` go in one call: call again until it returns 0.
        """
        ...

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        """Put small neighbouring batches together, as one bounded step; call again until it is done.

        Nobody sees a difference: offsets, contents, times and erasures stay, byte for byte as they are read, also for
        whoever reads meanwhile. Only what `trim` takes at once grows. A partition that is gone has nothing to merge.
        """
        ...

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        """Take the payload and headers from the event at an offset, for good; None if no event is kept there.

        All else stays: its place, its neighbours, the ends. It belongs to the caller's transaction, if there is one;
        from its commit on no read returns what was erased, in no process, whatever that remembers. Harmless when
        repeated.

        Raises:
            PartitionGone: there is no such partition (any more).
            LogDamaged: what is stored there is damaged.
        """
        ...

    def hold(self, partitions: Sequence[PartitionRef]) -> None:
        """Let nothing be erased there before the caller's transaction ends.

        Whoever keeps a copy of an event holds its partition first, then reads: so an erasure either comes before the
        read, or finds the copy. Appends and other holders go on.
        """
        ...

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        """Delete all events of partitions, for good: appends and reads raise PartitionGone. Harmless when repeated.

        Of partitions without epochs the rows go as well, in the caller's transaction. All others are dropped by
        whoever has deleted their rows, after the commit: outside of transactions, again and again until it succeeds.
        """
        ...

    def health(self) -> LogHealth: ...

    def close(self) -> None:
        """Finish the appends that were accepted; later ones are refused."""
        ...


class SendingTime(Protocol):
    """Until when the events of a claimed receipt may be sent: after that, somebody may take the receipt over.

    Attributes:
        until: by the monotonic clock.
    """

    until: float

    async def renew(self) -> None:
        """Begin it anew.

        Raises:
            AppendOutcomeUnknown: somebody has taken the receipt over, or nobody can tell.
        """
        ...


class TaggedLog(Log, Protocol):
    """An engine without RECEIPT_IN_SAME_TRANSACTION: the receipt is kept elsewhere, and events carry whose they are."""

    def append_tagged(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        """Do what `append` does for a request that may be tried again with the same tag.

        Args:
            tag: 16 bytes that no other request has.
            since: of a later try: an offset for each partition id, none of them above the partition's head when the
                first try began. What that has stored is looked for behind them, and only the rest is sent. No try may
                be under way any more.
            places: of each event in its request, append after append; None: these are all of its events.
            send_until: of a later try, by the monotonic clock: when it has not found out by then what is there, it
                sends nothing.

        Raises:
            AppendNotStored: nothing of the request is there, neither of this try nor of an earlier one.
            PlaceFenced: the place is closed; it says what was stored all the same.
            AppendOutcomeUnknown: part of it may be there; try again with the same tag.
            LogUnavailable: nobody could look, or send; this try stored nothing.
        """
        ...

    def adopt(self, topic: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        """Look whether a topic of somebody else can be shown as a stream, and appended to unless it `is_read_only`.

        Raises:
            EngineRefuses: it is not there, is none of ours to see, or would lose what is appended to it.
        """
        ...

    def topic_for(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> str:
        """Return the name of the topic that `ensure` would make; nothing is asked.

        Whoever makes one writes it down before: who dies in between leaves one that can be found.
        """
        ...

    def look_at_topics(self, topics: Sequence[str]) -> Mapping[str, TopicSight]:
        """Return how topics are, by name; those that are not there are left out.

        It may take seconds, and is never asked on the way of an append or a read.
        """
        ...

    def find_troubles(self, topics: Mapping[str, int]) -> TopicTroubles:
        """Say what is wrong with topics that are in use.

        Args:
            topics: how many partitions each has to have, by its name.
        """
        ...

    def limit_bytes(self, topics: Mapping[str, int | None]) -> int:
        """Let topics keep so many bytes of each of their partitions (None: all); return how many topics were changed.

        Harmless when repeated. It may take seconds. What is not there, or may not be altered, stays as it is.
        """
        ...

    def stored_heads(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        """Return the offset of the last event that is stored, by partition id, whether it can be read yet or not."""
        ...

    async def append_tagged_async(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        """Do what `append_tagged` does, and let the event loop go on meanwhile; without a loop, block like it."""
        ...

    def find_tagged(self, partition: PartitionRef, *, tag: bytes, since: int) -> Mapping[int, Found]:
        """Return what tries of a request have stored behind an offset, by the events' places in the request.

        What is not there will not appear either, if no try is under way any more. `since` may be `JUST_NOW`.

        Raises:
            LogUnavailable: nobody can tell.
        """
        ...

    def find_records(self, partition: PartitionRef, records: Sequence[bytes], *, since: int) -> Mapping[int, Found]:
        """Return which records are there behind an offset, byte by byte, by their positions: each where it is first.

        `since` may be `JUST_NOW`.
        """
        ...

    def foresee_place(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> Sequence[str]:
        """Say why `ensure` would refuse; nothing is made.

        Raises:
            LogUnavailable: nobody can tell.
        """
        ...

    def foresee_fence(self, partitions: Sequence[PartitionRef]) -> Sequence[str]:
        """Say why `fence` would fail; nothing is changed.

        Raises:
            LogUnavailable: nobody can tell.
        """
        ...

    def fence(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        """Let the place that these partitions, all of a stream, have open take nothing more; return its last offsets.

        Harmless when repeated. An append is refused there (PlaceFenced), or stored at most at its last offset, or
        answered later than `FENCE_SETTLE_SECONDS` after it began: whoever has waited so long looks whether what was
        stored is behind the end.

        Raises:
            EngineRefuses: it may not close the place.
            LogUnavailable: it is not known to be closed. It may be: `lift_fence`, or try again.
        """
        ...

    def lift_fence(self, partitions: Sequence[PartitionRef]) -> None:
        """Let a place take appends again; harmless where it does.

        Raises:
            EngineRefuses, LogUnavailable
        """
        ...
