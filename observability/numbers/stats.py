"""What a stream holds, gains and of what, and how its groups stand: never by looking at events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.queries import get_group, list_groups
from observability.numbers.group_series import GroupPoint, list_group_points
from observability.numbers.holdings import Holding, load_holdings
from observability.numbers.outlook import GroupNumbers, list_group_numbers
from observability.numbers.ranges import TimeRange
from observability.numbers.series import Point, TypeCount, list_points, list_types
from observability.numbers.snapshot import one_snapshot
from streams.errors import StreamNotFound
from streams.lookup import StreamInfo
from streams.services.remembered_ids import RememberedIds, remembered_ids


@dataclass(frozen=True, slots=True)
class StreamStats:
    """A stream in numbers.

    Attributes:
        groups: by name.
        types: of the window, without what is not rolled up yet.
        series: of the window, with what is not rolled up yet.
        remembered_ids: None where an id may be stored twice.
    """

    holding: Holding
    groups: Sequence[GroupNumbers]
    types: Sequence[TypeCount]
    series: Sequence[Point]
    remembered_ids: RememberedIds | None


def get_stream_stats(stream: StreamInfo, *, window_seconds: int, now: datetime) -> StreamStats:
    """Return a stream's numbers in a constant number of queries, at any size of its log.

    Raises:
        StreamNotFound: it was deleted a moment ago.
    """
    with one_snapshot():
        holdings = load_holdings(stream_ids=[stream.id], now=now)
        holding = holdings.get(stream.id)
        if holding is None:
            raise StreamNotFound
        return StreamStats(
            holding=holding,
            groups=list_group_numbers(list_groups(stream).order_by("name"), holdings, now=now),
            types=list_types(stream_id=stream.id, window_seconds=window_seconds, now=now),
            series=list_points(stream_id=stream.id, window_seconds=window_seconds, tail=holding.tail, now=now),
            remembered_ids=remembered_ids(stream),
        )


@dataclass(frozen=True, slots=True)
class GroupStats:
    """A group in numbers: as it stands, and over a range."""

    numbers: GroupNumbers
    series: Sequence[GroupPoint]


def get_group_stats(stream: StreamInfo, name: str, wanted: TimeRange, *, now: datetime) -> GroupStats:
    """Return a group's numbers in a constant number of queries.

    Raises:
        ConsumerGroupNotFound, StreamNotFound
    """
    with one_snapshot():
        group = get_group(stream, name)
        holdings = load_holdings(stream_ids=[stream.id], now=now)
        (numbers,) = list_group_numbers(list_groups(stream).filter(pk=group.pk), holdings, now=now)
        return GroupStats(numbers, list_group_points(group, wanted, now=now))
