"""One mirror, copied for as long as it is this worker's.

What makes a copy be there once, whoever is killed and whatever is answered:

* Only who has the lease sends, and only what is over before the lease is: an append to the topic is under way for
  `copy_seconds` at most. A worker that hangs and wakes finds its time over.
* Who takes a mirror looks at what is in the topic behind the end that was written down, and skips it. If the one
  before did not let go of it, what that may have sent is waited for first.
* So does a worker that was not told what became of what it sent; it is its own successor.
* Records that come between those that were sent are looked at: a copy too many is counted and told.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Final

from accounts.database_threads import give_connection_back
from streams.cloudevents.records import EventRecord, record_of
from streams.conf import (
    MIRROR_BACKOFF_SECONDS,
    MIRROR_GLANCE_SECONDS,
    MIRROR_LEASE_SECONDS,
    MIRROR_MARGIN_SECONDS,
    MIRROR_MAX_BACKOFF_SECONDS,
    MIRROR_RENEW_SECONDS,
    MIRROR_SHOW_SECONDS,
    MIRROR_STEP_BYTES,
    MIRROR_STEP_EVENTS,
    MIRROR_STEP_PARTITIONS,
)
from streams.errors import (
    AppendNotStored,
    AppendOutcomeUnknown,
    EngineRefuses,
    LogUnavailable,
    NotOffered,
    PartitionGone,
)
from streams.log import Lane, SentSpan, TopicCopier, copying_to, get_log, get_wakeups
from streams.log.protocol import LogDamaged, ReadResult
from streams.lookup import StreamInfo, info_of
from streams.models import Mirror, Stream
from streams.services.mirroring.lanes import MirrorLane
from streams.services.mirroring.leases import (
    Advance,
    LeaseEnded,
    MirrorLease,
    advance,
    let_go,
    note_failure,
    note_success,
    positions_of,
    renew,
)

logger = logging.getLogger(__name__)

GROUP_PREFIX: Final = "eventflow.mirror."
_FAILURES: Final = (
    AppendNotStored,
    AppendOutcomeUnknown,
    EngineRefuses,
    LogDamaged,
    LogUnavailable,
    NotOffered,
    PartitionGone,
)


def clock() -> float:
    """Return seconds that go on while the machine sleeps, where it can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Stopped(Exception):
    """Somebody wants this worker to let go of the mirror."""


class _StreamChanged(Exception):
    """The stream has other partitions, or lies elsewhere."""


class MirrorRun:
    """What one thread does with one mirror.

    Args:
        lease: of now.
        claimed_at: by `clock`, before it was asked for.
        stop: set by whoever wants the mirror to be let go of.
    """

    def __init__(self, lease: MirrorLease, *, claimed_at: float, stop: Event) -> None:
        self._lease = lease
        self._stop = stop
        self._lease_ends_at = claimed_at + MIRROR_LEASE_SECONDS
        # Nobody has anything under way, neither another worker nor this one.
        self._is_settled = lease.was_let_go
        self._is_failing = lease.is_failing
        self._glances_at = 0.0
        self._shows_at = 0.0
        self._shown: dict[int, int] = {}
        self._copier: TopicCopier | None = None
        self._stream: StreamInfo | None = None
        self._lanes: dict[int, MirrorLane] = {}
        self._turn = 0

    def run(self) -> None:
        """Copy until the mirror is paused, deleted or another worker's, or this one stops."""
        failures = 0
        try:
            while True:
                try:
                    self._open()
                    while True:
                        self._copy_what_is_new()
                        failures = 0
                except _StreamChanged:
                    pass
                except _FAILURES as error:
                    failures += 1
                    self._note_failure(error)
                self._close()
                self._rest(failures)
        except _Stopped:
            self._close()
            if self._is_settled:
                let_go(self._lease)
        except LeaseEnded:
            logger.info("the mirror into %s is another worker's, or gone", self._lease.topic)
        finally:
            self._close()

    # --- the lease -----------------------------------------------------------------------------------

    def _look_up(self) -> None:
        """Notice what others want of the mirror, and keep it."""
        if self._stop.is_set():
            raise _Stopped
        now = clock()
        if now >= self._glances_at:
            self._glances_at = now + MIRROR_GLANCE_SECONDS
            self._glance()
        self._keep(MIRROR_RENEW_SECONDS)

    def _glance(self) -> None:
        found = Mirror.objects.filter(pk=self._lease.mirror_id, lease_token=self._lease.token)
        rows = found.values_list("is_paused", "is_ending", "stream__partition_count", "stream__engine")
        row = rows.first()
        if row is None:
            raise LeaseEnded
        is_paused, is_ending, partition_count, engine = row
        if is_paused or is_ending:
            raise _Stopped
        if self._stream is not None and (partition_count, engine) != (
            len(self._stream.partitions),
            self._stream.engine,
        ):
            raise _StreamChanged

    def _keep(self, seconds: float) -> None:
        """Have the lease for so many seconds at least."""
        now = clock()
        if self._lease_ends_at - now < seconds:
            renew(self._lease)
            self._lease_ends_at = now + MIRROR_LEASE_SECONDS

    # --- beginning -----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._look_up()
        row = Stream.objects.filter(pk=self._lease.stream_id).prefetch_related("partitions", "grants").first()
        if row is None:
            raise LeaseEnded
        self._stream = stream = info_of(row)
        known = positions_of(self._lease)
        self._lanes = {}
        for partition in stream.partitions:
            # One that was added later is copied from its first event on.
            position, end = 0, None
            if partition.number in known:
                position, end = known[partition.number].position, known[partition.number].topic_end
            self._lanes[partition.number] = MirrorLane(partition, position, end, written_end=end)
        with copying_to(self._lease.engine) as engine:
            self._copier = copier = engine.open_copier(self._lease.topic, GROUP_PREFIX + stream.name)
            copier.check_topic(len(stream.partitions))
            asked = [Lane(each.number, each.partition.id, each.topic_end) for each in self._lanes.values()]
            found = copier.look(asked, is_settled=self._is_settled)
        self._is_settled = True
        news = [lane.take_what_is_there(found[number]) for number, lane in self._lanes.items()]
        self._advance(news)
        self._shown = {}

    def _close(self) -> None:
        copier, self._copier = self._copier, None
        self._stream = None
        if copier is not None:
            copier.close()
        give_connection_back()

    # --- copying -------------------------------------------------------------------------------------

    def _copy_what_is_new(self) -> None:
        """Copy the next events of some partitions, or wait for a moment where there are none."""
        by_id = {lane.partition.id: lane for lane in self._lanes.values()}
        with get_wakeups().watch(by_id) as watch:
            self._look_up()
            bounds = get_log().bounds([lane.partition for lane in by_id.values()])
            for partition_id, each in bounds.items():
                watch.saw(partition_id, each.head_offset)
            behind = [lane for key, lane in by_id.items() if key in bounds and bounds[key].head_offset > lane.position]
            if behind:
                self._copy_step(self._next_of(behind))
            self._show()
            if self._is_failing:
                note_success(self._lease)
                self._is_failing = False
            if not behind:
                give_connection_back()
                watch.wait(MIRROR_GLANCE_SECONDS)

    def _next_of(self, behind: Sequence[MirrorLane]) -> Sequence[MirrorLane]:
        """Return those whose turn it is, so that a busy one keeps no other waiting."""
        begin = self._turn % len(behind)
        self._turn += MIRROR_STEP_PARTITIONS
        return [*behind[begin:], *behind[:begin]][:MIRROR_STEP_PARTITIONS]

    def _copy_step(self, lanes: Sequence[MirrorLane]) -> None:
        reads = {lane.number: self._read(lane) for lane in lanes}
        copies = {lane.number: records for lane in lanes if (records := self._records_of(lane, reads[lane.number]))}
        spans: Mapping[int, SentSpan] = self._send(copies) if copies else {}
        news = []
        for lane in lanes:
            span, read = spans.get(lane.number), reads[lane.number]
            doubled = 0
            if span is not None and (span.first != lane.topic_end or span.end - span.first != len(copies[lane.number])):
                doubled = self._count_doubled(lane)
            end = lane.topic_end if span is None else span.end
            news.append(lane.move_to(read, topic_end=end, doubled=doubled))
        self._advance(news)

    def _read(self, lane: MirrorLane) -> ReadResult:
        return get_log().read(
            lane.partition, after=lane.position, max_events=MIRROR_STEP_EVENTS, max_bytes=MIRROR_STEP_BYTES
        )

    def _records_of(self, lane: MirrorLane, read: ReadResult) -> list[EventRecord]:
        partition = lane.partition
        return [
            record_of(event, stream=partition.stream, partition_id=partition.id) for _, event in lane.missing_of(read)
        ]

    def _send(self, copies: Mapping[int, Sequence[EventRecord]]) -> Mapping[int, SentSpan]:
        with copying_to(self._lease.engine) as engine:
            # What is sent now is over, one way or the other, while the mirror is still this worker's.
            self._keep(engine.copy_seconds + MIRROR_MARGIN_SECONDS)
            self._is_settled = False
            spans = self._its_copier().send(copies)
        self._is_settled = True
        return spans

    def _count_doubled(self, lane: MirrorLane) -> int:
        """Others have written between our records: see whether it was one of ours that should have been over."""
        with copying_to(self._lease.engine):
            asked = [Lane(lane.number, lane.partition.id, lane.topic_end)]
            found = self._its_copier().look(asked, is_settled=True)[lane.number]
        return lane.count_doubled(found.offsets)

    def _its_copier(self) -> TopicCopier:
        if self._copier is None:
            raise RuntimeError("the mirror is not open")
        return self._copier

    # --- writing down --------------------------------------------------------------------------------

    def _advance(self, news: Sequence[Advance]) -> None:
        advance(self._lease, news)
        for each in news:
            if each.lost:
                logger.warning("retention took %d events before they were copied into %s", each.lost, self._lease.topic)
            if each.doubled:
                logger.error("%d events are in %s more than once", each.doubled, self._lease.topic)

    def _show(self) -> None:
        ends = {lane.number: lane.topic_end for lane in self._lanes.values() if lane.topic_end is not None}
        if ends != self._shown and clock() >= self._shows_at:
            self._shows_at = clock() + MIRROR_SHOW_SECONDS
            self._its_copier().note_ends(ends)
            self._shown = ends

    def _note_failure(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, LogUnavailable) else str(error)
        logger.warning("nothing is copied into %s now: %s", self._lease.topic, reason)
        note_failure(self._lease, reason)
        self._is_failing = True

    def _rest(self, failures: int) -> None:
        """Wait before the next try, longer each time; keep the mirror meanwhile."""
        if not failures:
            return
        until = clock() + min(MIRROR_MAX_BACKOFF_SECONDS, MIRROR_BACKOFF_SECONDS * 2 ** min(failures - 1, 10))
        while clock() < until:
            self._look_up()
            give_connection_back()
            self._stop.wait(min(MIRROR_GLANCE_SECONDS, max(0.0, until - clock())))
