"""Letting a stream out of quarantine: what is lost is said first, and its offsets are never given out again.

Where a topic was made anew, the stream goes on in it behind the last offset that anybody was told. Where one was cut
short, what is left stays readable where it was, and the stream goes on behind what is lost. Readers are told of both
as of what retention took: by a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from streams.conf import NOT_IN_QUARANTINE, POSTGRES
from streams.errors import EngineRefuses
from streams.log import get_routed_log, last_seen
from streams.log.protocol import Bounds, Epoch, PartitionRef
from streams.lookup import StreamInfo, forget_streams
from streams.models import Epoch as EpochRow
from streams.models import Partition, Stream
from streams.services.lifecycle import hold_stream


@dataclass(frozen=True, slots=True)
class Loss:
    """Offsets of a partition whose events are gone, both included."""

    partition: PartitionRef
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class _Continuation:
    """How a partition goes on.

    Attributes:
        kept: its stretches as they are from then on.
        losses: in their order; none of what retention took before.
    """

    partition: PartitionRef
    kept: tuple[Epoch, ...]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """What was found of a stream's places in other engines, and how it could go on."""

    stream: StreamInfo
    continuations: tuple[_Continuation, ...]

    @property
    def losses(self) -> list[Loss]:
        return [loss for each in self.continuations for loss in each.losses]

    @property
    def changes_nothing(self) -> bool:
        return all(each.kept == each.partition.epochs for each in self.continuations)


def plan_release(stream: StreamInfo) -> Release:
    """Look at a stream's topics as they are now, and say how it could go on.

    Raises:
        EngineRefuses: a topic is not there, or has too few partitions.
        LogUnavailable
    """
    seen = last_seen(stream.partitions)
    topic_ids = _topic_ids(stream)
    return Release(stream, tuple(_continue(each, topic_ids, seen[each.id]) for each in stream.partitions))


def _topic_ids(stream: StreamInfo) -> dict[tuple[str, str], str]:
    places = {(epoch.engine, epoch.topic) for each in stream.partitions for epoch in each.epochs}
    found = {}
    for alias in {engine for engine, _ in places if engine != POSTGRES}:
        own = [topic for engine, topic in places if engine == alias]
        sights = get_routed_log().look_at_topics(alias, own)
        for topic in own:
            if topic not in sights:
                raise EngineRefuses(
                    f"There is no topic {topic} in {alias}. Make one of that name with {len(stream.partitions)} "
                    "partitions and the settings that docs/kafka.md names, and release the stream then; or delete it."
                )
            if sights[topic].partitions < len(stream.partitions):
                raise EngineRefuses(
                    f"The topic {topic} in {alias} has {sights[topic].partitions} partitions, and the stream has "
                    f"{len(stream.partitions)}. Give it more, and release the stream then; or delete it."
                )
            found[alias, topic] = sights[topic].topic_id
    return found


def _continue(partition: PartitionRef, topic_ids: dict[tuple[str, str], str], seen: Bounds) -> _Continuation:
    epochs, earliest, head = partition.epochs, seen.earliest_offset, seen.head_offset
    if not epochs:
        # It has never been elsewhere.
        return _Continuation(partition, epochs)
    stay = [each for each in epochs if topic_ids.get((each.engine, each.topic), each.topic_id) == each.topic_id]
    last = epochs[-1]
    # Of older stretches, each as a whole: what lies between them may be there.
    lost = [
        _loss(partition, max(earliest, each.first_offset), each.last_offset)
        for each in epochs
        if each not in stay and each.last_offset is not None
    ]
    kept = [each._replace(quarantine=NOT_IN_QUARANTINE) for each in stay]
    if last not in stay:
        kept.append(
            last._replace(
                number=last.number + 1,
                topic_id=topic_ids[last.engine, last.topic],
                first_offset=head + 1,
                base=head + 1,
                quarantine=NOT_IN_QUARANTINE,
            )
        )
        lost.append(_loss(partition, max(earliest, last.first_offset), head))
        return _continuation(partition, kept, lost)
    if last.engine == POSTGRES:
        return _continuation(partition, kept, lost)
    place = partition._replace(epochs=(last,))
    end = get_routed_log().stored_heads(last.engine, [place])[partition.id]
    if end >= head:
        return _continuation(partition, kept, lost)
    # The engine's own offset of the next event stays what it is; ours jumps over what is lost.
    base = head + 1 - (end + 1 - last.base)
    if end < last.first_offset:
        kept.pop()
    else:
        kept[-1] = kept[-1]._replace(last_offset=end)
    kept.append(last._replace(number=last.number + 1, first_offset=head + 1, base=base, quarantine=NOT_IN_QUARANTINE))
    lost.append(_loss(partition, max(earliest, end + 1), head))
    return _continuation(partition, kept, lost)


def _continuation(partition: PartitionRef, kept: Sequence[Epoch], lost: Sequence[Loss | None]) -> _Continuation:
    return _Continuation(partition, tuple(kept), tuple(each for each in lost if each is not None))


def _loss(partition: PartitionRef, first_offset: int, last_offset: int) -> Loss | None:
    return Loss(partition, first_offset, last_offset) if first_offset <= last_offset else None


@transaction.atomic
def release_stream(release: Release) -> None:
    """Let a stream go on as it was planned.

    Raises:
        EngineRefuses: it was released or moved meanwhile.
        StreamNotFound: it was deleted meanwhile.
    """
    info = release.stream
    stream = hold_stream(Stream.objects.get(pk=info.id), None)
    for each in release.continuations:
        own = EpochRow.objects.filter(partition=each.partition.id)
        if set(own.values_list("number", flat=True)) != {epoch.number for epoch in each.partition.epochs}:
            raise EngineRefuses("Its places were changed meanwhile. Nothing was done; look at them again.")
        if each.kept != each.partition.epochs:
            own.delete()
            EpochRow.objects.bulk_create(EpochRow(partition_id=each.partition.id, **one._asdict()) for one in each.kept)
        for loss in each.losses:
            if all(one.first_offset > loss.last_offset for one in each.kept):
                Partition.objects.filter(pk=each.partition.id).update(earliest_offset=loss.last_offset + 1)
    record(
        AuditAction.STREAM_RELEASED,
        stream=(stream.pk, stream.name),
        after={
            "lost": {
                str(each.partition.number): [
                    end for loss in each.losses for end in (loss.first_offset, loss.last_offset)
                ]
                for each in release.continuations
                if each.losses
            }
        },
    )
    transaction.on_commit(forget_streams)
