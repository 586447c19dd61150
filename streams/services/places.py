"""Places for streams in engines beside PostgreSQL: made before their stream is shown, dropped after it is gone.

An engine is no part of a transaction. So whatever is made or dropped there is written down first (`PlaceToClear`): a
process that dies in between leaves a place that the next tick clears.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from streams.conf import LEFT_PLACE_SECONDS, NAME_REMEMBERED_SECONDS, POSTGRES, UNUSED_PLACE_SECONDS
from streams.errors import EngineRefuses, LogUnavailable, UnknownEngine
from streams.log import engine_aliases, get_routed_log
from streams.log.protocol import Bounds, Epoch, PartitionRef, TopicSpec
from streams.lookup import StreamInfo
from streams.models import Epoch as EpochRow
from streams.models import Partition, PlaceToClear, Stream
from streams.statements import run

logger = logging.getLogger(__name__)

# Called with the partitions of a stream that shows what is there already, in the transaction that makes it.
after_adoption: Final[list[Callable[[Sequence[Partition]], None]]] = []


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream that is about to be made will lie.

    Attributes:
        partition_ids: of its partitions, by number; no rows have them yet.
        epochs: by partition id.
        noted: what is taken back when the stream is there; None: nothing was made, so nothing would be left over.
        ends: of what is there already, by partition id; nothing is where it was made for the stream.
    """

    engine: str
    partition_ids: Sequence[int]
    epochs: Mapping[int, Epoch]
    noted: PlaceToClear | None
    ends: Mapping[int, Bounds] = field(default_factory=dict)


def check_engine(alias: str) -> None:
    """Refuse an engine that the installation has not.

    Raises:
        UnknownEngine
    """
    if alias != POSTGRES and alias not in engine_aliases():
        there_are = ", ".join([POSTGRES, *engine_aliases()])
        raise UnknownEngine(f"There is no engine of that alias here. There are: {there_are}.")


def prepare_place(*, engine: str, stream_name: str, partitions: int, max_bytes: int | None, allow_weak: bool) -> Place:
    """Make a place for a stream's partitions in an engine beside PostgreSQL, outside of any transaction.

    Raises:
        EngineRefuses, LogUnavailable
    """
    if transaction.get_connection().in_atomic_block:
        raise RuntimeError("no engine is asked inside a transaction")
    ids = [partition_id for (partition_id,) in run("reserve_partition_ids", count=partitions)]
    refs = [PartitionRef(partition_id, stream_name, number) for number, partition_id in enumerate(ids)]
    spec = TopicSpec(max_bytes=max_bytes, allow_weak=allow_weak)
    # By its name it is found again, whenever this process dies.
    noted = PlaceToClear.objects.create(
        engine=engine,
        topic=get_routed_log().topic_for(engine, refs, spec),
        stream_name=stream_name,
        partition_ids=ids,
        due_at=timezone.now() + timedelta(seconds=UNUSED_PLACE_SECONDS),
    )
    epochs = get_routed_log().ensure_in(engine, refs, spec)
    noted.topic_id = epochs[ids[0]].topic_id
    noted.save(update_fields=["topic_id"])
    return Place(engine, ids, epochs, noted)


def show_place(stream: Stream, place: Place) -> None:
    """Give a stream the partitions of its place, in the transaction that makes it.

    Raises:
        EngineRefuses: the place was cleared meanwhile, as nobody came for it.
    """
    if place.noted is not None and not PlaceToClear.objects.filter(pk=place.noted.pk).delete()[0]:
        raise EngineRefuses("Its place was cleared before the stream was made. Nothing was made; retry.")
    partitions = Partition.objects.bulk_create(
        Partition(pk=pk, stream=stream, number=number, is_sealed=True, **_counters(place.ends.get(pk)))
        for number, pk in enumerate(place.partition_ids)
    )
    EpochRow.objects.bulk_create(
        EpochRow(partition_id=partition_id, **epoch._asdict()) for partition_id, epoch in place.epochs.items()
    )
    if place.ends:
        for begin in after_adoption:
            begin(partitions)


def _counters(ends: Bounds | None) -> dict[str, Any]:
    """Return what the counters of a partition are, of which there are events before its stream."""
    if ends is None:
        return {}
    return {
        "head_offset": ends.head_offset,
        "earliest_offset": ends.earliest_offset,
        "last_recorded_at": ends.last_recorded_at,
    }


def leave_place(info: StreamInfo, *, now: datetime) -> None:
    """Note that a stream's places in other engines are to be dropped, in the transaction that deletes it.

    Not at once: what is left to be dropped tells who makes a stream of that name to wait (`wait_for_the_name`).
    """
    due_at = now + timedelta(seconds=LEFT_PLACE_SECONDS)
    by_place: dict[tuple[str, str, str], list[int]] = {}
    for partition in info.partitions:
        for epoch in partition.epochs:
            # What somebody else has made is theirs to delete.
            if epoch.engine != POSTGRES and not epoch.is_external:
                by_place.setdefault((epoch.engine, epoch.topic, epoch.topic_id), []).append(partition.id)
    PlaceToClear.objects.bulk_create(
        PlaceToClear(
            engine=engine, topic=topic, topic_id=topic_id, stream_name=info.name, partition_ids=ids, due_at=due_at
        )
        for (engine, topic, topic_id), ids in by_place.items()
    )
    EpochRow.objects.filter(partition__in=[each.id for each in info.partitions]).delete()


def wait_for_the_name(name: str) -> None:
    """Wait until nobody remembers a stream of that name which lay elsewhere; of most names there was none.

    In the transaction that makes a stream, whose row has the name already. Another engine does not know that a stream
    is gone: a worker that remembers it would answer an append, sent to the new one, with a place in the old.
    """
    if not engine_aliases():
        return
    soon = timezone.now() + timedelta(seconds=LEFT_PLACE_SECONDS)
    if PlaceToClear.objects.filter(stream_name=name, due_at__lte=soon).exists():
        time.sleep(NAME_REMEMBERED_SECONDS)


def leave_planned_place(stream: Stream, *, now: datetime) -> None:
    """Note that the place is to be dropped to which a stream is being moved, in the transaction that deletes it."""
    if not engine_aliases():
        return
    ids = list(stream.partitions.order_by("number").values_list("pk", flat=True))
    PlaceToClear.objects.bulk_create(
        PlaceToClear(
            engine=move.target,
            topic=move.topic,
            topic_id=move.topic_id,
            stream_name=stream.name,
            partition_ids=ids,
            due_at=now,
        )
        for move in stream.moves.filter(finished_at=None).exclude(topic="")
    )


def clear_places(*, now: datetime) -> int:
    """Drop in their engines the places that no stream uses; return how many. What is away is asked the next time."""
    cleared = 0
    if not engine_aliases():
        return cleared
    for noted in PlaceToClear.objects.filter(due_at__lte=now).order_by("pk"):
        try:
            if not noted.topic:
                # Of a release that wrote it down only when it was made.
                bare = [each._replace(epochs=()) for each in _refs_of(noted)]
                noted.topic = get_routed_log().topic_for(noted.engine, bare, TopicSpec())
            get_routed_log().drop(_refs_of(noted))
        except (LogUnavailable, EngineRefuses) as error:
            logger.warning("%s is not cleared yet in %s: %s", noted.topic, noted.engine, error)
            continue
        noted.delete()
        cleared += 1
    return cleared


def _refs_of(noted: PlaceToClear) -> list[PartitionRef]:
    epoch = Epoch(1, noted.engine, noted.topic, noted.topic_id)
    return [
        PartitionRef(partition_id, noted.stream_name, number, (epoch,))
        for number, partition_id in enumerate(noted.partition_ids)
    ]
