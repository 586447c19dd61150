"""What the pages about streams show, as plain values: rendering never queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery, Sum

from accounts.caller import Caller
from accounts.roles import Right
from observability.dashboard.queries.engines import EngineView, view_engine
from observability.numbers.activity import Activity, activity_of
from observability.numbers.tails import load_tails
from streams.lookup import StreamInfo, info_of, infos_of
from streams.models import Partition, Stream, Visibility
from streams.queries import get_stream, totals_of
from streams.visible import list_streams


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream in a list."""

    name: str
    description: str
    owner: str
    engine: EngineView
    partition_count: int
    is_paused: bool
    is_internal: bool
    event_count: int
    stored_bytes: int
    last_event_at: datetime | None
    retention: "Retention"
    activity: Activity


@dataclass(frozen=True, slots=True)
class Retention:
    """When the oldest events go; None: no such limit."""

    max_age_seconds: int | None
    max_bytes: int | None
    max_events: int | None

    @property
    def is_forever(self) -> bool:
        return not (self.max_age_seconds or self.max_bytes or self.max_events)


@dataclass(frozen=True, slots=True)
class StreamHeading:
    """What every page of one stream says at its top, and what this caller may do there."""

    name: str
    description: str
    owner: str
    engine: EngineView
    partition_count: int
    is_paused: bool
    is_internal: bool
    retention: Retention
    labels: tuple[tuple[str, str], ...]
    created_at: datetime
    rights: frozenset[Right]
    info: StreamInfo

    @property
    def may_produce(self) -> bool:
        return Right.PRODUCE in self.rights

    @property
    def may_consume(self) -> bool:
        return Right.CONSUME in self.rights

    @property
    def may_manage(self) -> bool:
        return Right.MANAGE in self.rights


def list_stream_rows(
    caller: Caller, *, now: datetime, name_part: str = "", after: str | None = None, limit: int
) -> list[StreamRow]:
    """Return up to `limit` streams that the caller may see, by name, in a constant number of queries."""
    streams = list_streams(caller).order_by("name")
    if name_part:
        streams = streams.filter(name__contains=name_part.lower())
    if after:
        streams = streams.filter(name__gt=after)
    return _rows_of(list(streams[:limit]), now=now)


def list_largest_streams(caller: Caller, *, now: datetime, name_part: str = "", limit: int) -> list[StreamRow]:
    """Return the `limit` streams that take most room, the largest first, in a constant number of queries."""
    parts = Partition.objects.filter(stream=OuterRef("pk")).order_by().values("stream")
    size = Subquery(parts.values_list(Sum("stored_bytes")))
    streams = list_streams(caller).filter(name__contains=name_part.lower()).order_by(size.desc(nulls_last=True), "name")
    return _rows_of(list(streams[:limit]), now=now)


def _rows_of(rows: Sequence[Stream], *, now: datetime) -> list[StreamRow]:
    infos = infos_of(rows)
    totals = totals_of(infos)
    ids = [info.id for info in infos]
    activity = activity_of(ids, load_tails(Stream.objects.filter(pk__in=ids)), now=now)
    return [
        StreamRow(
            name=row.name,
            description=row.description,
            owner=row.owner_name,
            engine=view_engine(row.engine),
            partition_count=row.partition_count,
            is_paused=row.is_paused,
            is_internal=row.visibility == Visibility.INTERNAL,
            event_count=totals[row.pk].event_count,
            # They came along with the stream.
            stored_bytes=sum(partition.stored_bytes for partition in row.partitions.all()),
            last_event_at=totals[row.pk].last_event_at,
            retention=_retention_of(row),
            activity=activity[row.pk],
        )
        for row in rows
    ]


def describe_stream(caller: Caller, name: str, right: Right | None = None) -> StreamHeading:
    """Return one stream's heading, for a caller who may use it so.

    Raises:
        StreamNotFound, ScopeMissing
    """
    row = get_stream(caller, name, right)
    info = info_of(row)
    return StreamHeading(
        name=row.name,
        description=row.description,
        owner=row.owner_name,
        engine=view_engine(row.engine),
        partition_count=row.partition_count,
        is_paused=row.is_paused,
        is_internal=row.visibility == Visibility.INTERNAL,
        retention=_retention_of(row),
        labels=tuple(sorted((str(name), str(value)) for name, value in row.labels.items())),
        created_at=row.created_at,
        rights=info.rights_of(caller),
        info=info,
    )


def _retention_of(row: Stream) -> Retention:
    return Retention(row.retention_max_age_seconds, row.retention_max_bytes, row.retention_max_events)


def list_producible_names(caller: Caller, *, limit: int = 500) -> list[str]:
    """The names of streams that the caller may append to, for a form to offer."""
    rows = list(list_streams(caller, Right.PRODUCE).order_by("name")[:limit])
    return [info.name for info in infos_of(rows) if Right.PRODUCE in info.rights_of(caller)]
