"""Which neighbouring batches are merged into one. Pure: outlines in, groups out."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from streams.conf import MERGE_FULL_ENOUGH
from streams.log.protocol import MergeLimits


class BatchOutline(NamedTuple):
    """A stored batch as far as the decision needs it.

    Attributes:
        since, until: when its first and its last event were recorded.
        unpacked_bytes: what its records take, each with its newline; None: it cannot be read.
    """

    last_offset: int
    event_count: int
    since: datetime
    until: datetime
    unpacked_bytes: int | None

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.event_count + 1


class Group(NamedTuple):
    """Batches that follow each other and fit into one; `is_open`: what comes next may still fit as well."""

    batches: list[BatchOutline]
    is_open: bool

    @property
    def first_offset(self) -> int:
        return self.batches[0].first_offset

    @property
    def last_offset(self) -> int:
        return self.batches[-1].last_offset


def group_batches(batches: Iterable[BatchOutline], limits: MergeLimits) -> Iterator[Group]:
    """Yield all batches in their order, in groups as large as the limits allow; only the last one may be open.

    One that is full enough, or cannot be read, stays alone.
    """
    group: list[BatchOutline] = []
    for batch in batches:
        if group and not _fits(group, batch, limits):
            yield Group(group, is_open=False)
            group = []
        if _stays_alone(batch, limits):
            yield Group([batch], is_open=False)
        else:
            group.append(batch)
    if group:
        yield Group(group, is_open=sum(batch.event_count for batch in group) < limits.max_events)


def _stays_alone(batch: BatchOutline, limits: MergeLimits) -> bool:
    return (
        batch.unpacked_bytes is None
        or batch.event_count >= limits.max_events * MERGE_FULL_ENOUGH
        or batch.unpacked_bytes >= limits.max_bytes * MERGE_FULL_ENOUGH
    )


def _fits(group: list[BatchOutline], batch: BatchOutline, limits: MergeLimits) -> bool:
    return (
        not _stays_alone(batch, limits)
        and batch.first_offset == group[-1].last_offset + 1
        and sum(each.event_count for each in group) + batch.event_count <= limits.max_events
        and sum(each.unpacked_bytes or 0 for each in group) + (batch.unpacked_bytes or 0) <= limits.max_bytes
        and batch.until - group[0].since <= limits.max_span
    )
