"""Retention: whole batches go from the front of a partition when age, bytes or count allow it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from django.db import OperationalError

from streams.conf import MAX_RETENTION_AGE_SECONDS
from streams.errors import LogUnavailable
from streams.log import get_log
from streams.lookup import ref_of
from streams.metrics import count_deleted
from streams.models import Partition, Stream
from streams.queries import list_limited_partitions
from streams.services.held import MOST_HELD, is_held

logger = logging.getLogger(__name__)

# Of one partition, in one tick: a backlog is worked off over several ticks, never in one long one.
MAX_STEPS = 20


class TrimLimits(TypedDict):
    """What the log is asked to leave of one partition."""

    recorded_before: datetime | None
    keep_bytes: int | None
    keep_events: int | None


@dataclass(frozen=True, slots=True)
class Retention:
    """The limits of a stream after which its oldest events go; None: no such limit."""

    max_age_seconds: int | None
    max_bytes: int | None
    max_events: int | None

    @property
    def max_age(self) -> timedelta | None:
        """How old an event may become, as far as times reach."""
        if not self.max_age_seconds:
            return None
        return timedelta(seconds=min(self.max_age_seconds, MAX_RETENTION_AGE_SECONDS))

    @property
    def is_shared(self) -> bool:
        """Whether each partition has its share of a limit."""
        return bool(self.max_bytes or self.max_events)

    def share(self, *, partitions: int, now: datetime) -> TrimLimits:
        """Return what one partition keeps: bytes and count are shared out evenly."""
        return {
            "recorded_before": None if self.max_age is None else now - self.max_age,
            # The newest stays, however small the limit is.
            "keep_bytes": max(1, self.max_bytes // partitions) if self.max_bytes else None,
            "keep_events": max(1, self.max_events // partitions) if self.max_events else None,
        }


def retention_of(stream: Stream) -> Retention:
    return Retention(stream.retention_max_age_seconds, stream.retention_max_bytes, stream.retention_max_events)


def delete_expired_events(*, now: datetime) -> int:
    """Delete what retention no longer keeps, of every stream that has a limit; return how many events went.

    A partition that somebody else holds is left for the next tick, and holds up no other.

    Raises:
        OperationalError: the database is away, or more than a few are held.
    """
    deleted = held = 0
    # In any order: where some are held and the tick ends, the next one meets others first.
    for partition in list_limited_partitions().order_by("?"):
        try:
            deleted += _trim(partition, now)
        except OperationalError as error:
            held += 1
            if not is_held(error) or held == MOST_HELD:
                raise
            logger.warning(
                "%s/%d is held by somebody else: it keeps more than it should", partition.stream.name, partition.number
            )
    return deleted


def _trim(partition: Partition, now: datetime) -> int:
    stream = partition.stream
    limits = retention_of(stream).share(partitions=stream.partition_count, now=now)
    ref = ref_of(partition)
    deleted = 0
    try:
        for _ in range(MAX_STEPS):
            step = get_log().trim(ref, **limits)
            deleted += step
            if not step:
                break
    except LogUnavailable as error:
        # The next tick comes back to it; the other streams are not to wait for it.
        logger.warning("%s/%d keeps more than it should: %s", ref.stream, ref.number, error.detail)
    finally:
        count_deleted(deleted)
    return deleted
