"""What a move would change, and what stands in its way."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db.models import F, Max

from streams.conf import POSTGRES
from streams.errors import LogUnavailable, MoveRefused
from streams.log import capabilities_of, get_routed_log
from streams.log.protocol import Capability, PartitionRef, TopicSpec
from streams.lookup import info_of
from streams.models import Epoch, MoveState, Stream, StreamMove
from streams.services.places import check_engine

_RECEIPTS: Final = "{} keeps an `Idempotency-Key` in two steps: a request that ended half way is completed by a retry."
_ATOMIC: Final = "{} may store a part of a request for several partitions, and then answers `outcome_unknown`."
# What is refused from then on, in the words of whoever asks for it.
_MISSED: Final = {
    Capability.EXPECTED_HEAD: "{} refuses `If-Head`.",
    Capability.TIMED: "{} refuses `deliver_after` and `expires_after`.",
    Capability.ERASE: "{} erases no single events, also none that are stored already.",
    Capability.PLACE_AMONG: "{} adds no partitions.",
    Capability.RECEIPT_IN_SAME_TRANSACTION: _RECEIPTS,
    Capability.ATOMIC_APPEND: _ATOMIC,
}


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a move would do.

    Attributes:
        refusals: what stands in its way; without any it can begin.
        warnings: what is different there, or to be minded.
    """

    source: str
    target: str
    partitions: int
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    def check(self) -> None:
        """Return if nothing stands in the way.

        Raises:
            MoveRefused
        """
        if self.refusals:
            raise MoveRefused(f"{' '.join(self.refusals)} Nothing was changed.")


class PartitionMove(NamedTuple):
    """How far the move of one partition has come.

    Attributes:
        state: waiting, fencing, moved, or kept where it was.
        first_offset: from which on its events lie there; None: none do, or retention has taken them.
    """

    partition: int
    state: str
    first_offset: int | None


_STATE_OF_PARTITIONS: Final = {
    MoveState.PLANNED: "waiting",
    MoveState.PREPARED: "waiting",
    MoveState.FENCING: "fencing",
    MoveState.MOVED: "moved",
    MoveState.ABORTED: "kept",
}


def partitions_of(move: StreamMove) -> list[PartitionMove]:
    """Return how far a move has come, partition by partition: they go together, so that no request is torn."""
    state = _STATE_OF_PARTITIONS[MoveState(move.state)]
    there = Epoch.objects.filter(partition__stream=move.stream_id, number=move.epoch_number)
    firsts = dict(there.values_list("partition__number", "first_offset"))
    return [
        PartitionMove(number, state, firsts.get(number))
        for number in move.stream.partitions.order_by("number").values_list("number", flat=True)
    ]


def next_epoch_number(stream: Stream) -> int:
    """Return the number of the stretches that a move would begin: no move of the stream had it, nor any stretch."""
    moved = stream.moves.aggregate(most=Max("epoch_number"))["most"] or 1
    lying = stream.partitions.aggregate(most=Max("epochs__number"))["most"] or 1
    return int(max(moved, lying)) + 1


def spec_of(stream: Stream, *, epoch_number: int, allow_weak: bool) -> TopicSpec:
    return TopicSpec(epoch_number=epoch_number, max_bytes=stream.retention_max_bytes, allow_weak=allow_weak)


def foresee_move(*, stream: Stream, target: str, allow_weak: bool) -> MovePlan:
    """Say what a move would change and what stands in its way: both engines are asked, nothing is changed.

    Raises:
        UnknownEngine: the installation has none of that alias.
    """
    check_engine(target)
    return MovePlan(
        source=stream.engine,
        target=target,
        partitions=stream.partition_count,
        refusals=tuple(_refusals(stream, target, allow_weak=allow_weak)),
        warnings=tuple(_warnings(stream, target)),
    )


def _refusals(stream: Stream, target: str, *, allow_weak: bool) -> Iterator[str]:
    if target == stream.engine:
        yield f"{stream.name} lies in {target} already."
        return
    if under_way := StreamMove.objects.filter(stream=stream, finished_at=None).first():
        yield f"{stream.name} is being moved to {under_way.target} ({under_way.state})."
        return
    yield from refusals_of_settings(stream, target)
    partitions = info_of(stream).partitions
    epochs = [epoch for each in partitions for epoch in each.epochs]
    if any(each.is_external for each in epochs):
        yield f"{stream.name} shows a topic that was adopted: EventFlow does not close what is somebody else's."
        return
    if any(each.quarantine for each in epochs):
        yield f"{stream.name} is in quarantine: release it first (`manage.py release_stream {stream.name}`)."
        return
    try:
        if stream.engine != POSTGRES:
            yield from get_routed_log().foresee_fence(partitions)
        if target != POSTGRES:
            spec = spec_of(stream, epoch_number=next_epoch_number(stream), allow_weak=allow_weak)
            yield from get_routed_log().foresee_place(target, bare(partitions), spec)
    except LogUnavailable as error:
        yield error.detail


def refusals_of_settings(stream: Stream, target: str) -> Iterator[str]:
    """Say what of a stream's settings its new engine would not keep."""
    if stream.deduplicate_ids_seconds is not None and Capability.DEDUPLICATION not in capabilities_of(target):
        yield f"{target} does not offer `deduplicate_ids`: set it to null first."


def _warnings(stream: Stream, target: str) -> Iterator[str]:
    lost = capabilities_of(stream.engine) - capabilities_of(target)
    for capability, words in _MISSED.items():
        if capability in lost:
            yield words.format(target)
    if Capability.TIMED in lost:
        waiting = stream.partitions.filter(timed_through__gte=F("earliest_offset"), timed_through__gt=0)
        if waiting.exists():
            yield "Events for later, and those that expire, stay where they are and are handed out as before."
    if Capability.TRIM_BY_BYTES in lost and stream.retention_max_bytes is not None:
        yield f"{target} keeps by bytes at least so much as retention says, and some more."
    if stream.engine != POSTGRES:
        yield "Readers may meet events of the type `eventflow.fence`: at most a few, from the moment of the move."
    yield "Appends wait for about a second. Events that are stored stay where they are, and leave by retention."


def bare(partitions: tuple[PartitionRef, ...]) -> list[PartitionRef]:
    """Return partitions as if they lay nowhere yet."""
    return [each._replace(epochs=()) for each in partitions]
