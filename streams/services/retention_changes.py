"""What a change of a stream's retention would delete that stays as it is now, and who has not read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from streams.log import get_log
from streams.log.protocol import Front, PartitionRef
from streams.lookup import info_of
from streams.models import Stream
from streams.services.retention import Retention, retention_of
from streams.times import format_time

# So many groups are named in a sentence.
_NAMED_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class PartitionLoss:
    """The events of one partition that would go: offsets `first_offset` to `last_offset`, both included.

    Attributes:
        kept_since: when the first event that stays was recorded; None: none stays.
    """

    partition: PartitionRef
    first_offset: int
    last_offset: int
    kept_since: datetime | None

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


@dataclass(frozen=True, slots=True)
class GroupLoss:
    """How many of the events that would go a group has not finished, as its lag counts them."""

    name: str
    event_count: int


@dataclass(frozen=True, slots=True)
class RetentionLoss:
    """What a change of retention would delete.

    Attributes:
        partitions: those that lose something.
        kept_since: when the first event of the stream that stays was recorded; None: none stays.
        is_at_least: more than these would go: not all batches were weighed.
        groups: those that lose something, the one that loses most first.
    """

    partitions: tuple[PartitionLoss, ...]
    kept_since: datetime | None
    is_at_least: bool
    groups: tuple[GroupLoss, ...]

    @property
    def event_count(self) -> int:
        return sum(each.event_count for each in self.partitions)


# Asked which groups have not finished what would go: streams know none.
find_group_losses: Final[list[Callable[[Sequence[PartitionLoss]], list[GroupLoss]]]] = []


def foresee_retention(*, stream: Stream, changes: Mapping[str, Any], now: datetime) -> RetentionLoss:
    """Return what the next rounds of retention would delete because of these changes (fields of the model).

    What goes anyway, by the limits that the stream has, is not counted. Retention takes whole batches, so a limit may
    leave more than it says; these numbers are what goes. With more partitions each has a smaller share of a limit.
    """
    partitions = info_of(stream).partitions
    before, after = (
        get_log().foresee_trim(partitions, **retention.share(partitions=count, now=now))
        for retention, count in (
            (retention_of(stream), len(partitions)),
            (_changed(stream, changes), changes.get("partition_count", len(partitions))),
        )
    )
    losses = [
        PartitionLoss(each, first, after[each.id].first_kept - 1, after[each.id].kept_since)
        for each in partitions
        if each.id in before and each.id in after
        if (first := _first_at_stake(before[each.id])) < after[each.id].first_kept
    ]
    groups = [loss for find in find_group_losses for loss in find(losses)] if losses else []
    return RetentionLoss(
        partitions=tuple(losses),
        kept_since=min([front.kept_since for front in after.values() if front.kept_since], default=None),
        is_at_least=any(front.is_cut for front in after.values()),
        groups=tuple(sorted(groups, key=lambda loss: (-loss.event_count, loss.name))),
    )


def find_retention_loss(*, stream: Stream, changes: Mapping[str, Any], now: datetime) -> RetentionLoss | None:
    """Return what these changes would delete, or None if nothing; most changes are known to without a query."""
    if not may_delete(stream=stream, changes=changes):
        return None
    loss = foresee_retention(stream=stream, changes=changes, now=now)
    return loss if loss.partitions else None


def may_delete(*, stream: Stream, changes: Mapping[str, Any]) -> bool:
    """Whether these changes could delete something; nobody is asked."""
    after = _changed(stream, changes)
    is_shared_by_more = changes.get("partition_count", 0) > stream.partition_count and after.is_shared
    return is_shared_by_more or _is_lowered(retention_of(stream), after)


def explain_loss(loss: RetentionLoss) -> str:
    """Say what would go, in sentences."""
    count = f"{loss.event_count:,} event{'s' if loss.event_count > 1 else ''}"
    stays = (
        f"what was recorded since {format_time(loss.kept_since).decode()} stays" if loss.kept_since else "nothing stays"
    )
    told = f"This deletes {'at least ' if loss.is_at_least else ''}{count} at once, for good; {stays}."
    if not loss.groups:
        return told
    named = [f"{each.name} {each.event_count:,}" for each in loss.groups[:_NAMED_GROUPS]]
    more = [f"{len(loss.groups) - _NAMED_GROUPS} more groups"] if len(loss.groups) > _NAMED_GROUPS else []
    return f"{told} Unread of these: {', '.join(named + more)}."


def _changed(stream: Stream, changes: Mapping[str, Any]) -> Retention:
    """The limits that the stream would have."""
    return Retention(
        changes.get("retention_max_age_seconds", stream.retention_max_age_seconds),
        changes.get("retention_max_bytes", stream.retention_max_bytes),
        changes.get("retention_max_events", stream.retention_max_events),
    )


def _is_lowered(before: Retention, after: Retention) -> bool:
    """Whether any limit lets go more than it did."""
    pairs = (
        (before.max_age_seconds, after.max_age_seconds),
        (before.max_bytes, after.max_bytes),
        (before.max_events, after.max_events),
    )
    return any(new is not None and (old is None or new < old) for old, new in pairs)


def _first_at_stake(before: Front) -> int:
    """The first offset that the present limits leave: what is before goes anyway. Unknown: the first that there is."""
    return before.earliest_offset if before.is_cut else before.first_kept
