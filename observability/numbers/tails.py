"""What was appended and is not rolled up yet: some seconds' events, or more where the worker is away."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.models import Partition, Stream


@dataclass(frozen=True, slots=True)
class Tail:
    """The events of one stream that are in no roll-up yet: recorded from `since` to `until`, taken to be evenly spread.

    Attributes:
        bytes: of their JSON.
    """

    events: int
    bytes: int
    since: datetime
    until: datetime

    def events_until(self, moment: datetime) -> int:
        """Count those that were recorded before the moment."""
        return self._share(self.events, moment)

    def bytes_until(self, moment: datetime) -> int:
        """Return the size of those that were recorded before the moment."""
        return self._share(self.bytes, moment)

    def _share(self, whole: int, moment: datetime) -> int:
        if moment > self.until:
            return whole
        if moment <= self.since:
            return 0
        return round(whole * ((moment - self.since) / (self.until - self.since)))


class Counters(NamedTuple):
    """What was ever appended to a partition, and what of it is rolled up."""

    stream_id: int
    partition: PartitionRef
    head_offset: int
    appended_bytes: int
    last_recorded_at: datetime | None
    rolled_up_offset: int
    rolled_up_bytes: int


def load_tails(streams: QuerySet[Stream]) -> dict[int, Tail]:
    """Return the tails of these streams by their id, of those that have one, in two queries."""
    counted = Partition.objects.filter(stream__in=streams.values("pk")).annotate(
        offset=Coalesce("rollupcursor__rolled_up_offset", 0), size=Coalesce("rollupcursor__rolled_up_bytes", 0)
    )
    rows = counted.filter(head_offset__gt=F("offset")).order_by()
    names = ("head_offset", "appended_bytes", "last_recorded_at", "offset", "size")
    return make_tails(
        [
            Counters(stream_id, PartitionRef(pk, name, number), *counters)
            for stream_id, pk, name, number, *counters in rows.values_list(
                "stream_id", "pk", "stream__name", "number", *names
            )
        ]
    )


def make_tails(partitions: Iterable[Counters]) -> dict[int, Tail]:
    """Return the tails of streams by their id, of those that have one, in one query."""
    behind = [each for each in partitions if each.rolled_up_offset < each.head_offset]
    moments = get_log().recorded_after([(each.partition, each.rolled_up_offset) for each in behind])
    tails: dict[int, Tail] = {}
    for each, moment in zip(behind, moments, strict=True):
        until = each.last_recorded_at
        # Retention may have taken all of them.
        since = moment or until
        if since is None or until is None:
            continue
        tail = Tail(
            events=each.head_offset - each.rolled_up_offset,
            bytes=max(0, each.appended_bytes - each.rolled_up_bytes),
            since=since,
            until=until,
        )
        known = tails.get(each.stream_id)
        tails[each.stream_id] = _join(known, tail) if known else tail
    return tails


def _join(one: Tail, other: Tail) -> Tail:
    return Tail(
        events=one.events + other.events,
        bytes=one.bytes + other.bytes,
        since=min(one.since, other.since),
        until=max(one.until, other.until),
    )
