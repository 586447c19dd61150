"""The log of an installation with several engines: each partition's events where its epochs say.

Nothing here asks the database where a partition lies: the reference says it. An engine other than PostgreSQL is never
asked inside a transaction, whoever calls: what has to be decided with it is asked before (`accounts.asked_before`), and
written down after.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from accounts.asked_before import outside_of_transactions, require_outside
from accounts.waits import run_blocking
from streams.conf import POSTGRES
from streams.errors import LogUnavailable, NotOffered
from streams.log.current_epochs import CurrentEpochs
from streams.log.engines import Engines
from streams.log.moving_appends import MovingAppends
from streams.log.offering import require, require_for_appends
from streams.log.postgres import PostgresLog
from streams.log.protocol import (
    EVERY_CAPABILITY,
    PLAIN_TOPIC,
    Appended,
    AppendedRange,
    Bounds,
    Capability,
    Epoch,
    ErasedEvent,
    Front,
    Log,
    LogHealth,
    Merged,
    MergeLimits,
    OldestId,
    PartitionAppend,
    PartitionRef,
    ReadResult,
    Receipt,
    SendingTime,
    TaggedLog,
    TopicSight,
    TopicSpec,
    TopicTroubles,
)
from streams.log.routed_reads import RoutedReads, by_engine
from streams.log.sightings import Sighting, Sightings, write_sightings
from streams.log.slices import open_place, refuse_quarantined, refuse_read_only
from streams.log.wakeup import Wakeups
from streams.record_lines import size_of

Returned = TypeVar("Returned")


class RoutedLog:
    """`Log` over all engines of an installation. What an engine does not promise is refused for its partitions alone.

    Attributes:
        capabilities: of the installation's own engine; those of another are asked for by its alias.
    """

    capabilities = EVERY_CAPABILITY

    def __init__(self, *, postgres: PostgresLog, engines: Engines, wakeups: Wakeups, sightings: Sightings) -> None:
        self._postgres = postgres
        self._engines = engines
        self._wakeups = wakeups
        self._sightings = sightings
        current = CurrentEpochs()
        self._reads = RoutedReads(self._asking, current.of)
        self._appends = MovingAppends(lend=self._asking_tagged, note=self._note, postgres=postgres, current=current)

    @contextmanager
    def _asking(self, alias: str) -> Iterator[Log]:
        """Lend the engine of an alias for one call.

        Raises:
            LogUnavailable: it failed a moment ago, or fails now.
        """
        if alias == POSTGRES:
            yield self._postgres
            return
        with self._asking_tagged(alias) as log:
            yield log

    @contextmanager
    def _asking_tagged(self, alias: str) -> Iterator[TaggedLog]:
        require_outside(alias)
        engine = self._engines.get(alias)
        with engine.breaker.guard():
            yield engine.log

    # --- appending -----------------------------------------------------------------------------------

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        return run_blocking(self.append_async(appends, receipt=receipt))

    async def append_async(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        alias = _one_engine(appends)
        if alias == POSTGRES:
            return await self._postgres.append_async(appends, receipt=receipt)
        if receipt is not None:
            raise NotOffered(alias, "a receipt beside the events")
        self._require(alias, appends)
        return await self._appends.append(appends)

    def _require(self, alias: str, appends: Sequence[PartitionAppend]) -> None:
        require_outside(alias)
        require_for_appends(alias, self._engines.get(alias).log.capabilities, appends)
        places = [open_place(each.partition) for each in appends]
        refuse_quarantined(places)
        refuse_read_only(places)

    async def append_tagged_async(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None,
        receipt: Receipt,
        sending_time: SendingTime,
    ) -> Appended:
        """Append once for a receipt that was claimed before, whatever tries with the same tag have stored.

        Args:
            tag, since: as for `TaggedLog.append_tagged`.
            sending_time: when it is over, nothing is sent but to PostgreSQL, which completes the receipt in
                the events' transaction. Then the answer has a body.
        """
        alias = _one_engine(appends)
        if alias != POSTGRES:
            self._require(alias, appends)
        return await self._appends.append_tagged(
            appends, tag=tag, since=since, receipt=receipt, sending_time=sending_time
        )

    def _note(self, appends: Sequence[PartitionAppend], ranges: Sequence[AppendedRange]) -> None:
        """Note what was appended, and wake who waits for it."""
        heads: dict[int, int] = {}
        for append, stored in zip(appends, ranges, strict=True):
            self._sightings.note(append.partition.id, stored.last_offset, stored.recorded_at, size_of(append.records))
            heads[append.partition.id] = max(stored.last_offset, heads.get(append.partition.id, 0))
        self._wakeups.announce(heads)

    # --- reading -------------------------------------------------------------------------------------

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        read = partial(self._reads.read, partition, after=after, max_events=max_events, max_bytes=max_bytes)
        return _asked([partition], ("read", partition, after, max_events, max_bytes), read)

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        return _asked(partitions, ("bounds", *partitions), lambda: self._reads.bounds(partitions))

    def bounds_in(self, alias: str, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends of partitions in one engine, also of those that nobody has been told of yet."""
        with self._asking(alias) as log:
            return log.bounds([open_place(each) for each in partitions])

    def last_seen(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends as they were last seen, in one query of PostgreSQL, whoever is away."""
        return self._postgres.bounds(partitions)

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        return _asked([partition], ("offset_at", partition, at), lambda: self._reads.offset_at(partition, at))

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        partitions = [partition for partition, _ in positions]
        return _asked(partitions, ("recorded_after", *positions), lambda: self._reads.recorded_after(positions))

    # --- places --------------------------------------------------------------------------------------

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        found: dict[int, Epoch] = {}
        for alias, own in by_engine(partitions).items():
            with self._asking(alias) as log:
                found |= log.ensure(own, spec)
        return found

    def ensure_in(self, alias: str, partitions: Sequence[PartitionRef], spec: TopicSpec) -> Mapping[int, Epoch]:
        """Do what `Log.ensure` does in one engine, for partitions that lie nowhere yet."""
        with self._asking(alias) as log:
            return log.ensure(partitions, spec)

    def adopt(self, alias: str, topic: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        """Look whether a topic of one engine can be shown as a stream."""
        with self._asking_tagged(alias) as log:
            return log.adopt(topic, is_read_only=is_read_only, allow_weak=allow_weak)

    def topic_for(self, alias: str, partitions: Sequence[PartitionRef], spec: TopicSpec) -> str:
        """Return the name of the topic that `ensure_in` would make; nobody is asked."""
        return self._engines.get(alias).log.topic_for(partitions, spec)

    def look_at_topics(self, alias: str, topics: Sequence[str]) -> Mapping[str, TopicSight]:
        """Return how topics of one engine are, by name; those that are not there are left out."""
        with self._asking_tagged(alias) as log:
            return log.look_at_topics(topics)

    def find_troubles(self, alias: str, topics: Mapping[str, int]) -> TopicTroubles:
        """Say what is wrong with topics of one engine."""
        with self._asking_tagged(alias) as log:
            return log.find_troubles(topics)

    def limit_bytes(self, alias: str, topics: Mapping[str, int | None]) -> int:
        """Do what `TaggedLog.limit_bytes` does in one engine."""
        with self._asking_tagged(alias) as log:
            return log.limit_bytes(topics)

    def stored_heads(self, alias: str, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        """Return where partitions end in one engine, also those in quarantine; what nobody can read yet included."""
        with self._asking_tagged(alias) as log:
            return log.stored_heads(partitions)

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        for alias in by_engine(partitions):
            require(alias, self._engines.capabilities_of(alias), Capability.PLACE_AMONG)
        self._postgres.place_among(partitions, count)

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 1_000,
    ) -> int:
        refuse_quarantined([partition])
        taken = self._reads.trim(
            partition,
            recorded_before=recorded_before,
            keep_bytes=keep_bytes,
            keep_events=keep_events,
            max_batches=max_batches,
        )
        if taken and partition.epochs:
            self._see_what_is_left(partition)
        return taken

    def _see_what_is_left(self, partition: PartitionRef) -> None:
        """Write down where a partition begins now: what a group has lost shows as soon as it is gone."""
        # It is gone, whoever can be asked now: the tick sees it later.
        with suppress(LogUnavailable):
            ends = self._reads.bounds([partition]).get(partition.id)
            if ends is not None:
                seen = Sighting(partition.id, ends.head_offset, ends.earliest_offset, ends.last_recorded_at)
                write_sightings([seen])

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 50_000,
    ) -> Mapping[int, Front]:
        foresee = partial(
            self._reads.foresee_trim,
            partitions,
            recorded_before=recorded_before,
            keep_bytes=keep_bytes,
            keep_events=keep_events,
            max_batches=max_batches,
        )
        question = ("foresee_trim", *partitions, recorded_before, keep_bytes, keep_events, max_batches)
        return _asked(partitions, question, foresee)

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        for alias, own in by_engine(partitions).items():
            with self._asking(alias) as log:
                log.drop(own)

    # --- moving a stream -----------------------------------------------------------------------------

    def foresee_place(self, alias: str, partitions: Sequence[PartitionRef], spec: TopicSpec) -> Sequence[str]:
        """Do what `TaggedLog.foresee_place` does in one engine, for partitions that may lie anywhere."""
        with self._asking_tagged(alias) as log:
            return log.foresee_place(partitions, spec)

    def foresee_fence(self, partitions: Sequence[PartitionRef]) -> Sequence[str]:
        """Do what `TaggedLog.foresee_fence` does, in the engine that has these partitions of a stream open."""
        with self._asking_tagged(partitions[0].engine) as log:
            return log.foresee_fence([open_place(each) for each in partitions])

    def fence(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        """Do what `TaggedLog.fence` does, in the engine that has these partitions of a stream open."""
        with self._asking_tagged(partitions[0].engine) as log:
            return log.fence([open_place(each) for each in partitions])

    def lift_fence(self, partitions: Sequence[PartitionRef]) -> None:
        """Do what `TaggedLog.lift_fence` does, in the engine that has these partitions of a stream open."""
        with self._asking_tagged(partitions[0].engine) as log:
            log.lift_fence([open_place(each) for each in partitions])

    # --- what PostgreSQL alone remembers of events ---------------------------------------------------

    def oldest_ids(self, partitions: Sequence[PartitionRef]) -> Mapping[int, OldestId]:
        return self._postgres.oldest_ids(partitions)

    def partitions_with_ids(self, *, after: int, limit: int) -> Sequence[int]:
        return self._postgres.partitions_with_ids(after=after, limit=limit)

    def forget_ids(self, partition_id: int, *, recorded_before: datetime, up_to: int, max_ids: int = 5_000) -> int:
        return self._postgres.forget_ids(partition_id, recorded_before=recorded_before, up_to=up_to, max_ids=max_ids)

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        if partition.engine != POSTGRES:
            return Merged()
        # What was PostgreSQL's before a move is left as it is: it goes by retention.
        first = partition.epochs[-1].first_offset if partition.epochs else 1
        return self._postgres.merge(partition, limits._replace(after=max(limits.after, first - 1)))

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        for epoch in partition.epochs:
            # Of all of them: whoever copies an event of such a partition does not hold it before.
            require(epoch.engine, self._engines.capabilities_of(epoch.engine), Capability.ERASE)
        return self._postgres.erase(partition, offset, at=at)

    def hold(self, partitions: Sequence[PartitionRef]) -> None:
        # Where nothing can be erased, nothing has to be held.
        self._postgres.hold(partitions)

    # --- the process ---------------------------------------------------------------------------------

    def health(self) -> LogHealth:
        """Return the health of the installation's own engine; the others' is no reason to keep requests away."""
        return self._postgres.health()

    def close(self) -> None:
        self._postgres.close()
        self._engines.close()


def _one_engine(appends: Sequence[PartitionAppend]) -> str:
    """Return the alias of the engine that has the partitions of all appends.

    Raises:
        NotOffered: they are in several.
    """
    if not appends:
        return POSTGRES
    alias = appends[0].partition.engine
    for append in appends:
        if append.partition.engine != alias:
            raise NotOffered(
                append.partition.engine, f"one request for streams in several engines, of which {alias} is another"
            )
    return alias


def _asked(partitions: Iterable[PartitionRef], question: Hashable, ask: Callable[[], Returned]) -> Returned:
    """Ask where the partitions lie; engines beyond PostgreSQL outside of transactions.

    Raises:
        StreamQuarantined
        AskedInTransaction: a transaction is open, and nobody has prepared for this.
    """
    elsewhere = [each for each in partitions if each.epochs]
    if not elsewhere:
        return ask()
    refuse_quarantined(elsewhere)
    return outside_of_transactions(question, ask)
