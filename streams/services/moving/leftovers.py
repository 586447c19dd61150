"""Stretches that retention has emptied: their places are dropped, and at the end nothing tells of the move."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from streams.conf import EMPTY_PLACE_SECONDS, POSTGRES
from streams.errors import LogUnavailable, StreamNotFound
from streams.log import get_log
from streams.log.protocol import Epoch, PartitionRef
from streams.lookup import forget_streams, info_of
from streams.models import Epoch as EpochRow
from streams.models import PlaceToClear, Stream
from streams.services.lifecycle import hold_stream

logger = logging.getLogger(__name__)


def forget_empty_stretches(*, now: datetime) -> int:
    """Let go of the oldest stretches of moved streams that keep no event any more; return how many places went."""
    moved = Stream.objects.filter(has_epochs=True, partitions__epochs__last_offset__isnull=False).distinct()
    forgotten = 0
    for stream in moved.order_by("pk"):
        try:
            forgotten += _forget_oldest(stream, now=now)
        except (LogUnavailable, StreamNotFound) as error:
            logger.info("whether %s keeps older events nobody can tell: %s", stream.name, error.detail)
    return forgotten


def _forget_oldest(stream: Stream, *, now: datetime) -> int:
    partitions = info_of(stream).partitions
    number = min((each.epochs[0].number for each in partitions if len(each.epochs) > 1), default=0)
    ended = [(each, each.epochs[0]) for each in partitions if len(each.epochs) > 1 and each.epochs[0].number == number]
    if not ended or not _are_empty(ended):
        return 0
    with transaction.atomic():
        hold_stream(stream, None)
        gone = EpochRow.objects.filter(partition__stream=stream, number=number, last_offset__isnull=False)
        if not gone.delete()[0]:
            return 0
        _leave(stream, ended[0][1], now=now)
        _settle_here(stream)
    forget_streams()
    return 1


def _are_empty(ended: Sequence[tuple[PartitionRef, Epoch]]) -> bool:
    """Whether no partition keeps an event in this stretch; its engine is asked, where it is another one."""
    bounds = get_log().bounds([partition._replace(epochs=(epoch,)) for partition, epoch in ended])
    return all(
        epoch.last_offset is not None
        and (partition.id not in bounds or bounds[partition.id].earliest_offset > epoch.last_offset)
        for partition, epoch in ended
    )


def _leave(stream: Stream, epoch: Epoch, *, now: datetime) -> None:
    """Note that the place of a stretch is to be dropped, unless the stream goes on in it: after a loss it does."""
    in_use = EpochRow.objects.filter(partition__stream=stream, engine=epoch.engine, topic=epoch.topic)
    if epoch.engine == POSTGRES or epoch.is_external or in_use.exists():
        return
    # Whoever looked the stream up before may ask there for a moment longer.
    PlaceToClear.objects.create(
        engine=epoch.engine,
        topic=epoch.topic,
        topic_id=epoch.topic_id,
        stream_name=stream.name,
        # All of them, as their places in it are told by their order: perhaps only some had this stretch.
        partition_ids=list(stream.partitions.order_by("number").values_list("pk", flat=True)),
        due_at=now + timedelta(seconds=EMPTY_PLACE_SECONDS),
    )


def _settle_here(stream: Stream) -> None:
    """Let a stream be as if it had never been elsewhere, once all that it keeps is in PostgreSQL."""
    left = EpochRow.objects.filter(partition__stream=stream)
    if not left.exclude(engine=POSTGRES, last_offset=None).exists():
        left.delete()
        Stream.objects.filter(pk=stream.pk).update(has_epochs=False)
