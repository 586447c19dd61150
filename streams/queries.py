"""Questions about streams."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import Greatest, RowNumber

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.models import ApiKey, User
from accounts.queries import list_api_keys
from accounts.roles import Right, Role
from accounts.row_ids import row_id_in
from streams.access import rights_on_stream
from streams.conf import MAX_LISTED
from streams.errors import EventExpired, EventNotFound, MirrorNotFound, MoveNotFound, StreamNotFound
from streams.log import capabilities_of, get_log, last_seen
from streams.log.protocol import LEAST, Bounds, Capability, PartitionRef
from streams.lookup import StreamInfo, infos_of, partition_of
from streams.models import Mirror, Partition, Stream, StreamMove, Visibility
from streams.names import is_well_formed
from streams.totals import StreamTotals, add_up
from streams.visible import list_streams


def find_unknown_streams(caller: Caller, names: Collection[str]) -> set[str]:
    """Return those of the names that belong to no stream that the caller may see."""
    plain = [name for name in names if is_well_formed(name)]
    return set(names) - set(list_streams(caller).filter(name__in=plain).values_list("name", flat=True))


def get_stream(caller: Caller, name: str, right: Right | None = None) -> Stream:
    """Return a stream as the database has it now, for a caller who may use it so.

    Raises:
        StreamNotFound, ScopeMissing
    """
    stream = list_streams(caller).filter(name=name).first() if "\x00" not in name else None
    if stream is None:
        raise StreamNotFound
    rights = rights_on_row(caller, stream)
    if right is not None and right not in rights:
        raise ScopeMissing(f"You may {' and '.join(sorted(rights))} {stream.name}, but not {right}.")
    return stream


def rights_on_row(caller: Caller, stream: Stream) -> frozenset[Right]:
    """Return the caller's effective rights on a stream that was loaded."""
    return rights_on_stream(
        caller, name=stream.name, is_internal=stream.visibility == Visibility.INTERNAL, access=stream.access
    )


def capabilities_of_stream(stream: Stream) -> frozenset[Capability]:
    """Return what can be done with a stream: what its engine promises, less what is somebody else's."""
    found = capabilities_of(stream.engine) | LEAST
    if stream.adopted_topic:
        found -= {Capability.RETENTION, Capability.LEASE}
    return found - {Capability.APPEND} if stream.is_read_only else found


def get_event(stream: StreamInfo, partition: int, offset: int) -> bytes:
    """Return one event as JSON.

    Raises:
        PartitionNotFound, EventNotFound: nothing has that address (yet).
        EventExpired: retention took it.
    """
    result = get_log().read(partition_of(stream, partition), after=offset - 1, max_events=1, max_bytes=1)
    if offset < result.bounds.earliest_offset and 1 <= offset <= result.bounds.head_offset:
        raise EventExpired(f"Retention took offset {offset}; the earliest kept is {result.bounds.earliest_offset}.")
    if not result.events or result.offsets[0] != offset:
        raise EventNotFound(f"There is no event at offset {offset}; the head is at {result.bounds.head_offset}.")
    return result.events[0]


@dataclass(frozen=True, slots=True)
class Producer:
    """A user with what they produce with and to: the newest keys and the first streams by name, and how many in all."""

    user: User
    api_keys: list[ApiKey]
    api_key_count: int
    # Without those that were revoked.
    kept_key_count: int
    streams: list[StreamTotals]
    stream_count: int


def list_producers(caller: Caller) -> QuerySet[User]:
    """The users whose role lets them produce: all of them for an admin, themselves for everybody else."""
    producing = Q(groups__name__in=[Role.PRODUCER, Role.ADMIN]) | Q(is_superuser=True)
    producers = User.objects.filter(pk__in=User.objects.filter(producing).values("pk"))
    return producers if caller.sees_everybody else producers.filter(pk=caller.user_id)


def describe_producers(caller: Caller, users: list[User], *, most: int = MAX_LISTED) -> list[Producer]:
    """Return the keys and the streams' totals of each user, in a constant number of queries.

    Args:
        most: so many keys and streams of each; somebody may have ten thousand.
    """
    kept = Window(Count("pk", filter=Q(revoked_at__isnull=True)), partition_by="user_id")
    theirs = list_api_keys(caller).filter(user__in=users).annotate(kept=kept)
    keys: dict[int, list[Any]] = {}
    for key in _first_of_each(theirs, "user_id", "-created_at", most):
        keys.setdefault(key.user_id, []).append(key)
    owned: dict[int, list[Stream]] = {}
    for stream in _first_of_each(list_streams(caller).filter(owner__in=users), "owner_id", "name", most):
        owned.setdefault(stream.owner_id, []).append(stream)
    totals = totals_of(infos_of([stream for streams in owned.values() for stream in streams]))
    return [
        Producer(
            user,
            api_keys=keys.get(user.pk, []),
            api_key_count=_count_in_all(keys.get(user.pk)),
            kept_key_count=keys[user.pk][0].kept if user.pk in keys else 0,
            streams=[totals[stream.pk] for stream in owned.get(user.pk, [])],
            stream_count=_count_in_all(owned.get(user.pk)),
        )
        for user in users
    ]


def _first_of_each(rows: QuerySet[Any], column: str, order: str, most: int) -> QuerySet[Any]:
    """Return the first rows of each value of a column; each knows how many there are (`in_all`)."""
    place = Window(RowNumber(), partition_by=column, order_by=order)
    in_all = Window(Count("pk"), partition_by=column)
    return rows.annotate(place=place, in_all=in_all).filter(place__lte=most).order_by(column, "place")


def _count_in_all(rows: Sequence[Any] | None) -> int:
    return int(rows[0].in_all) if rows else 0


def totals_of(streams: list[StreamInfo]) -> dict[int, StreamTotals]:
    """Return each stream's totals by its id, in one query."""
    partitions: list[PartitionRef] = [partition for stream in streams for partition in stream.partitions]
    bounds = last_seen(partitions) if partitions else {}
    return {
        stream.id: add_up(stream.name, (bounds[each.id] for each in stream.partitions if each.id in bounds))
        for stream in streams
    }


def totals_of_row(stream: Stream) -> StreamTotals:
    """Return a stream's totals from partitions that were loaded with it: for lists of the admin, which load rows."""
    return add_up(
        stream.name,
        (
            Bounds(each.earliest_offset, each.head_offset, each.last_recorded_at, each.timed_through)
            for each in stream.partitions.all()
        ),
    )


def list_partitions_to_merge() -> QuerySet[Partition]:
    """Return the partitions in which enough came since somebody looked for small batches."""
    return Partition.objects.filter(
        head_offset__gte=F("merge_due_head"), earliest_offset__lte=F("head_offset"), is_sealed=False
    )


def count_events_to_merge() -> int:
    """Count the events in them that merging has not come to yet; some of them are too young for it."""
    passed = Greatest("merged_to", F("earliest_offset") - 1)
    return list_partitions_to_merge().aggregate(events=Sum(F("head_offset") - passed))["events"] or 0


def list_limited_partitions() -> QuerySet[Partition]:
    """Return the partitions of streams that have a limit of retention, with their streams."""
    return Partition.objects.select_related("stream").filter(
        Q(stream__retention_max_age_seconds__isnull=False)
        | Q(stream__retention_max_bytes__isnull=False)
        | Q(stream__retention_max_events__isnull=False)
    )


def list_all_mirrors() -> QuerySet[Mirror]:
    """Return mirrors with their streams and positions; those that are being ended are not among them."""
    mirrors = Mirror.objects.filter(is_ending=False)
    return mirrors.select_related("stream").prefetch_related("positions").order_by("pk")


def list_mirrors(stream: Stream) -> QuerySet[Mirror]:
    """Return one stream's."""
    return list_all_mirrors().filter(stream_id=stream.pk)


def get_mirror(stream: Stream, mirror_id: str) -> Mirror:
    """Return one mirror of a stream.

    Raises:
        MirrorNotFound
    """
    number = row_id_in(mirror_id)
    mirror = None if number is None else list_mirrors(stream).filter(pk=number).first()
    if mirror is None:
        raise MirrorNotFound
    return mirror


def get_move(stream: Stream, move_id: str) -> StreamMove:
    """Return one move of a stream.

    Raises:
        MoveNotFound
    """
    number = row_id_in(move_id)
    move = None if number is None else stream.moves.select_related("stream").filter(pk=number).first()
    if move is None:
        raise MoveNotFound
    return move
