"""Creating, changing and deleting streams."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import ceil
from typing import Any, Final

from django.conf import settings as installation
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.principals import Principal
from accounts.quotas import PARTITIONS, STORED_MIB, STREAMS, check_quota, quota_of
from accounts.services.audit import changed, record
from accounts.services.owners import owner_by_name, owner_to_come
from accounts.services.versions import check_version
from streams.conf import MAX_PARTITIONS, POSTGRES
from streams.errors import ConfirmationMissing, InvalidName, MoveUnderWay, ReservedName, StreamExists, StreamNotFound
from streams.log import get_log, require_offer
from streams.log.protocol import Capability
from streams.lookup import forget_streams, info_of
from streams.models import Partition, Stream
from streams.names import NAME_PATTERN, is_reserved, is_well_formed
from streams.services.adoption import (
    adopt_place,
    check_may_adopt,
    hold_topic,
    refuse_retention,
    refuse_what_is_not_adopted,
)
from streams.services.confirmations import check_confirmed
from streams.services.partition_changes import add_partitions
from streams.services.places import (
    Place,
    check_engine,
    leave_place,
    leave_planned_place,
    prepare_place,
    show_place,
    wait_for_the_name,
)

MIB: Final = 2**20
RETENTION_FIELDS: Final = ("retention_max_age_seconds", "retention_max_bytes", "retention_max_events")
# Called in the transaction that deletes a stream, before it touches anything: who works with what belongs to the stream
# comes to an end first, so that it and the deletion do not wait for each other.
before_deletion: Final[list[Callable[[Stream], None]]] = []


def default_max_age_seconds() -> int | None:
    """Return the retention by age of a stream that is made without any; None: its events stay."""
    return installation.DEFAULT_RETENTION_DAYS * 86_400 or None


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What may be said of a stream when it is created. Durations in seconds, sizes in bytes; None: no limit."""

    description: str = ""
    # None: one, or as many as an adopted topic has.
    partitions: int | None = None
    visibility: str = "internal"
    retention_max_age_seconds: int | None = field(default_factory=default_max_age_seconds)
    retention_max_bytes: int | None = None
    retention_max_events: int | None = None
    is_paused: bool = False
    validation: str = "off"
    deduplicate_ids_seconds: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    engine: str = POSTGRES
    # Also in an engine that could lose what it has stored.
    allow_weak: bool = False
    # A topic of somebody else that it is to show; empty: its place is made for it. And whether nothing is appended.
    adopted_topic: str = ""
    is_read_only: bool = False

    @property
    def has_retention(self) -> bool:
        return bool(self.retention_max_age_seconds or self.retention_max_bytes or self.retention_max_events)

    def as_recorded(self) -> dict[str, Any]:
        """Return what the audit trail tells of them: of the engine only where one was chosen."""
        told = asdict(self)
        if self.engine == POSTGRES:
            del told["engine"], told["allow_weak"]
        if not self.adopted_topic:
            del told["adopted_topic"], told["is_read_only"]
        return told


def check_name(name: str) -> None:
    """Refuse a name that a stream or group cannot have.

    Raises:
        InvalidName, ReservedName
    """
    if not is_well_formed(name):
        raise InvalidName(f"A name matches {NAME_PATTERN}.")
    if is_reserved(name):
        raise ReservedName(f"{name!r} is reserved: choose another name.")


def place_for_stream(*, caller: Caller, name: str, settings: StreamSettings) -> Place | None:
    """Make a place for a stream in the engine that was chosen for it, outside of any transaction; None in PostgreSQL.

    Of a stream that cannot be made anyway nothing is made: `create_stream` says why. A place for which no stream comes
    is cleared later.

    Raises:
        UnknownEngine, NotOffered, EngineRefuses, LogUnavailable
    """
    check_engine(settings.engine)
    if settings.adopted_topic:
        refuse_what_is_not_adopted(settings.engine, has_retention=settings.has_retention)
    if settings.deduplicate_ids_seconds is not None:
        require_offer(settings.engine, Capability.DEDUPLICATION)
    if settings.engine == POSTGRES or not caller.may_touch(name) or Stream.objects.filter(name=name).exists():
        return None
    check_name(name)
    if settings.adopted_topic:
        check_may_adopt(caller)
        return adopt_place(
            engine=settings.engine,
            topic=settings.adopted_topic,
            stream_name=name,
            partitions=settings.partitions,
            is_read_only=settings.is_read_only,
            allow_weak=settings.allow_weak,
        )
    return prepare_place(
        engine=settings.engine,
        stream_name=name,
        partitions=settings.partitions or 1,
        max_bytes=settings.retention_max_bytes,
        allow_weak=settings.allow_weak,
    )


@transaction.atomic
def create_stream(
    *,
    caller: Caller,
    name: str,
    settings: StreamSettings,
    owner: Principal | None = None,
    place: Place | None = None,
) -> Stream:
    """Create a stream with its partitions; the caller owns it, or a team of theirs, or whom an admin names.

    Args:
        place: where it will lie (`place_for_stream`); None: in PostgreSQL.

    Raises:
        InvalidName, ReservedName, StreamExists, ScopeMissing, QuotaExceeded
        EngineRefuses: its place is gone.
    """
    check_name(name)
    if not caller.may_touch(name):
        raise ScopeMissing("This key is limited to other streams.")
    if settings.adopted_topic:
        check_may_adopt(caller)
        hold_topic(settings.engine, settings.adopted_topic)
    count = (settings.partitions or 1) if place is None else len(place.partition_ids)
    owner = owner or Principal(user_id=caller.user_id)
    if not owner.includes(caller) and not caller.is_admin:
        raise ScopeMissing("Only an admin can create a stream for somebody else.")
    _check_quotas(owner, caller.email if owner == caller.principal else "The owner", partitions=count)
    if not 1 <= count <= MAX_PARTITIONS:
        raise ValueError(count)
    try:
        with transaction.atomic():
            stream = Stream.objects.create(
                name=name,
                owner_id=owner.user_id,
                owner_team_id=owner.team_id,
                partition_count=count,
                description=settings.description,
                visibility=settings.visibility,
                retention_max_age_seconds=settings.retention_max_age_seconds,
                retention_max_bytes=settings.retention_max_bytes,
                retention_max_events=settings.retention_max_events,
                is_paused=settings.is_paused,
                validation=settings.validation,
                deduplicate_ids_seconds=settings.deduplicate_ids_seconds,
                labels=settings.labels,
                engine=POSTGRES if place is None else place.engine,
                has_epochs=place is not None,
                adopted_topic=settings.adopted_topic,
                is_read_only=settings.is_read_only,
            )
    except IntegrityError as error:
        raise StreamExists(f"A stream named {name} exists already.") from error
    wait_for_the_name(name)
    if place is not None:
        show_place(stream, place)
    elif settings.engine != POSTGRES:
        # It was there a moment ago, so nothing was prepared.
        raise StreamExists(f"A stream named {name} existed a moment ago. Nothing was made; retry.")
    else:
        Partition.objects.bulk_create(Partition(stream=stream, number=number) for number in range(count))
    record(
        AuditAction.STREAM_CREATED,
        stream=(stream.pk, stream.name),
        after={**settings.as_recorded(), "owner": stream.owner_name},
    )
    transaction.on_commit(forget_streams)
    return stream


def _check_quotas(owner: Principal, name: str, *, partitions: int, stored_bytes: int = 0) -> None:
    """Refuse one more stream, of so many partitions and bytes, to an owner who would have too much then."""
    owned = Stream.objects.filter(owner_id=owner.user_id, owner_team_id=owner.team_id)
    if quota_of(STREAMS) is not None or quota_of(PARTITIONS) is not None:
        check_quota(STREAMS, owner=name, used=owned.count())
        _check_partitions(owner, name, more=partitions)
    if stored_bytes and quota_of(STORED_MIB) is not None:
        stored = Partition.objects.filter(stream__in=owned).aggregate(total=Sum("stored_bytes"))["total"] or 0
        used = stored // MIB
        check_quota(STORED_MIB, owner=name, used=used, more=ceil((stored + stored_bytes) / MIB) - used)


def _check_partitions(owner: Principal, name: str, *, more: int) -> None:
    if quota_of(PARTITIONS) is not None:
        owned = Stream.objects.filter(owner_id=owner.user_id, owner_team_id=owner.team_id)
        used = owned.aggregate(total=Sum("partition_count"))["total"] or 0
        check_quota(PARTITIONS, owner=name, used=used, more=more)


def change_stream(
    *,
    stream: Stream,
    changes: dict[str, Any],
    now: datetime,
    confirm: str | None = None,
    expected: Collection[str] | None = None,
) -> Stream:
    """Change some of a stream's settings (fields of the model, already checked); its name stays, partitions are added.

    Args:
        expected: the versions for which the change is meant; None: whatever it is.

    Returns:
        The stream as it is now, also in what others have changed of it.

    Raises:
        PreconditionFailed: it is of another version.
        StreamNotFound: it was deleted meanwhile.
        NotOffered: its engine cannot do what is asked for.
        QuotaExceeded: whoever owns it then would have too much, or too many partitions.
        PartitionsOnlyAdded: it has more partitions than are asked for.
        MoveUnderWay: more partitions are asked for, and it is being moved.
        ConfirmationMissing: its retention would delete events, or keys would move, and `confirm` is not its name.
    """
    check_version(stream, expected, stream_id=stream.pk)
    if stream.adopted_topic and any(changes.get(name) for name in RETENTION_FIELDS):
        refuse_retention(stream.engine)
    if stream.has_epochs:
        # What would go, another engine has to be asked, and that not inside the transaction.
        check_confirmed(stream=stream, changes=changes, confirm=confirm, now=now)
    return _change(stream=stream, changes=changes, now=now, confirm=confirm, expected=expected)


@transaction.atomic
def _change(
    *, stream: Stream, changes: dict[str, Any], now: datetime, confirm: str | None, expected: Collection[str] | None
) -> Stream:
    stream = hold_stream(stream, expected)
    if not stream.has_epochs:
        check_confirmed(stream=stream, changes=changes, confirm=confirm, now=now)
    if changes.get("deduplicate_ids_seconds") is not None:
        require_offer(stream.engine, Capability.DEDUPLICATION)
    count = changes.get("partition_count", stream.partition_count)
    if count > MAX_PARTITIONS:
        raise ValueError(count)
    if (owner := owner_to_come(stream, changes)) is not None:
        stored_bytes = stream.partitions.aggregate(total=Sum("stored_bytes"))["total"] or 0
        _check_quotas(owner, "The new owner", partitions=count, stored_bytes=stored_bytes)
    elif count > stream.partition_count:
        _check_partitions(stream.owned_by, "The owner", more=count - stream.partition_count)
    before, after = changed(stream, changes)
    if not after:
        return stream
    if "partition_count" in after:
        if stream.moves.filter(finished_at=None).exists():
            raise MoveUnderWay(f"{stream.name} is being moved: add partitions when that is over. Nothing was changed.")
        add_partitions(stream, count)
    was = stream.owner_name
    for name, value in after.items():
        setattr(stream, name, value)
    before, told = owner_by_name(before, after, was=was, now=stream.owner_name)
    record(AuditAction.STREAM_CHANGED, stream=(stream.pk, stream.name), before=before, after=told)
    stream.save(update_fields=[*after, "updated_at"])
    transaction.on_commit(forget_streams)
    return stream


def hold_stream(stream: Stream, expected: Collection[str] | None) -> Stream:
    """Return a stream as it is now, and let nobody change it until the end of this transaction.

    Raises:
        PreconditionFailed: it has none of the expected versions.
        StreamNotFound: it was deleted meanwhile.
    """
    rows = Stream.objects.select_for_update(of=("self",), no_key=True).select_related("owner", "owner_team")
    held = rows.filter(pk=stream.pk).first()
    if held is None:
        raise StreamNotFound
    check_version(held, expected, stream_id=held.pk)
    return held


def delete_stream(*, stream: Stream, confirm: str | None, expected: Collection[str] | None = None) -> None:
    """Delete a stream with its events and groups, for good; if it has one of the expected versions, if any are.

    Raises:
        PreconditionFailed, StreamNotFound
        ConfirmationMissing: `confirm` is not the stream's name.
    """
    if confirm != stream.name:
        raise ConfirmationMissing(f"This deletes all events. Confirm with ?confirm={stream.name}.")
    with transaction.atomic():
        # Nobody adds a partition or a group meanwhile, which would be left behind.
        stream = hold_stream(stream, expected)
        info = info_of(stream)
        for hold in before_deletion:
            hold(stream)
        leave_planned_place(stream, now=timezone.now())
        if stream.has_epochs:
            leave_place(info, now=timezone.now())
        # The counter rows go first: an append that comes later finds no partition and stores nothing. What lies in
        # another engine is dropped there after the commit.
        get_log().drop([each._replace(epochs=()) for each in info.partitions])
        heads = {str(each.number): each.head_offset for each in stream.partitions.all()}
        record(AuditAction.STREAM_DELETED, stream=(stream.pk, stream.name), before={"head_offsets": heads})
        stream.delete()
        transaction.on_commit(forget_streams)
