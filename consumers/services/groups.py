"""Creating, changing and deleting consumer groups."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.audit_actions import AuditAction
from accounts.principals import Principal
from accounts.quotas import GROUPS, check_quota, quota_of
from accounts.services.audit import changed, record
from accounts.services.owners import owner_by_name, owner_to_come
from accounts.services.versions import check_version
from consumers.conf import (
    DEFAULT_ACK_WAIT_SECONDS,
    DEFAULT_BACKOFF_SECONDS,
    DEFAULT_MAX_DELIVERIES,
    DEFAULT_MAX_FAILURES,
    DEFAULT_MAX_IN_FLIGHT,
)
from consumers.dead_letter_queries import count_open_dead_letters
from consumers.errors import ConsumerGroupExists, ConsumerGroupNotFound
from consumers.models import ConsumerGroup, GroupOffset, Mode, Ordering, Start
from consumers.queries import forget_groups
from consumers.services.key_order import begin_key_order, end_key_order
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from streams.errors import ConfirmationMissing, NotOffered, StreamNotFound
from streams.log import LEASING_ADOPTED, ends_elsewhere, last_seen
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo
from streams.models import Partition, Stream
from streams.services.lifecycle import check_name


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """What may be said of a group when it is created; the defaults are what most groups want."""

    mode: str = Mode.OFFSET.value
    start: str = Start.EARLIEST.value
    ack_wait_seconds: int = DEFAULT_ACK_WAIT_SECONDS
    max_failures: int = DEFAULT_MAX_FAILURES
    # None: DEFAULT_MAX_DELIVERIES, or as many as failures are allowed.
    max_deliveries: int | None = None
    backoff_seconds: tuple[int, ...] = DEFAULT_BACKOFF_SECONDS
    ordering: str = Ordering.NONE.value
    max_in_flight: int = DEFAULT_MAX_IN_FLIGHT
    is_paused: bool = False
    # As `consumers.filters.as_stored` gives it.
    filter: dict[str, Any] | None = None


def create_group(
    *, stream: StreamInfo, name: str, settings: GroupSettings, owner: Principal
) -> tuple[ConsumerGroup, bool]:
    """Create a group, or return the equal one that exists, whoever owns it; the second value says whether it is new.

    Its committed offset is set in every partition from the first moment, so its lag is defined.

    Raises:
        InvalidName, ReservedName, QuotaExceeded
        ConsumerGroupExists: one of that name exists with other settings.
        StreamNotFound: it was deleted meanwhile.
        NotOffered: lease mode, of a stream that shows somebody else's topic.
    """
    check_name(name)
    if stream.is_external and settings.mode == Mode.LEASE:
        raise NotOffered(stream.engine, LEASING_ADOPTED)
    if quota_of(GROUPS) is not None:
        check_quota(GROUPS, owner="The owner", used=_owned_by(owner).exclude(stream_id=stream.id, name=name).count())
    fields: dict[str, Any] = {**asdict(settings), "backoff_seconds": list(settings.backoff_seconds)}
    fields["max_deliveries"] = settings.max_deliveries or max(DEFAULT_MAX_DELIVERIES, settings.max_failures)
    # Other engines are not asked inside the transaction.
    elsewhere = ends_elsewhere(stream.partitions)
    try:
        with transaction.atomic():
            group = ConsumerGroup.objects.create(
                stream_id=stream.id, name=name, owner_id=owner.user_id, owner_team_id=owner.team_id, **fields
            )
            partitions = _hold_partitions(stream)
            bounds = {**last_seen(partitions), **elsewhere}
            if not partitions or len(bounds) < len(partitions):
                raise StreamNotFound
            starts = {
                partition.id: bounds[partition.id].head_offset
                if settings.start == Start.LATEST
                else bounds[partition.id].earliest_offset - 1
                for partition in partitions
            }
            GroupOffset.objects.bulk_create(
                GroupOffset(
                    group=group,
                    partition_id=partition_id,
                    committed_offset=offset,
                    start_offset=offset,
                    key_order_after=0 if group.keeps_key_order else None,
                )
                for partition_id, offset in starts.items()
            )
            record(
                AuditAction.GROUP_CREATED,
                stream=(stream.id, stream.name),
                group=(group.pk, name),
                after={**fields, "owner": group.owner_name},
            )
        return group, True
    except IntegrityError:
        existing = ConsumerGroup.objects.filter(stream_id=stream.id, name=name).first()
        if existing is None:
            raise StreamNotFound from None
        group = existing
        differing = [field for field, value in fields.items() if getattr(group, field) != value]
        if differing:
            raise ConsumerGroupExists(
                f"{name} exists with another {', '.join(differing)}. Change it with PATCH, or choose another name."
            ) from None
        return group, False


def _hold_partitions(stream: StreamInfo) -> list[PartitionRef]:
    """Return the stream's partitions as they are now, and let nobody add any until the end of this transaction."""
    list(Stream.objects.select_for_update(no_key=True).filter(pk=stream.id).values_list("pk"))
    rows = Partition.objects.filter(stream_id=stream.id).order_by("number").values_list("pk", "number")
    return [PartitionRef(pk, stream.name, number) for pk, number in rows]


def _owned_by(owner: Principal) -> QuerySet[ConsumerGroup]:
    return ConsumerGroup.objects.filter(owner_id=owner.user_id, owner_team_id=owner.team_id)


@transaction.atomic
def change_group(
    *, group: ConsumerGroup, changes: dict[str, Any], expected: Collection[str] | None = None
) -> ConsumerGroup:
    """Change some of a group's settings (fields of the model, already checked); its mode and start stay.

    Its ordering may be changed whatever is in hand. Where it becomes `key`, new events wait until all that was handed
    out before is finished; where it was `key`, what is held up is let go.

    Args:
        expected: the versions for which the change is meant; None: whatever it is.

    Returns:
        The group as it is now, also in what others have changed of it.

    Raises:
        PreconditionFailed: it is of another version.
        QuotaExceeded: it is given to somebody who would have too many then.
        ConsumerGroupNotFound: it was deleted meanwhile.
    """
    group = hold_group(group, expected)
    if (owner := owner_to_come(group, changes)) is not None and quota_of(GROUPS) is not None:
        check_quota(GROUPS, owner="The new owner", used=_owned_by(owner).count())
    before, after = changed(group, changes)
    if not after:
        return group
    was, kept_key_order = group.owner_name, group.keeps_key_order
    for name, value in after.items():
        setattr(group, name, value)
    group.save(update_fields=[*after, "updated_at"])
    if group.keeps_key_order and not kept_key_order:
        begin_key_order(group)
    elif kept_key_order and not group.keeps_key_order:
        end_key_order(group)
    before, told = owner_by_name(before, after, was=was, now=group.owner_name)
    record(
        AuditAction.GROUP_CHANGED,
        stream=(group.stream_id, group.stream.name),
        group=(group.pk, group.name),
        before=before,
        after=told,
    )
    transaction.on_commit(forget_groups)
    # A group that goes on has something for those who wait.
    wake_consumers(group.offsets.values_list("partition_id", flat=True))
    return group


def hold_group(group: ConsumerGroup, expected: Collection[str] | None) -> ConsumerGroup:
    """Return a group as it is now, and let nobody change it until the end of this transaction.

    Raises:
        PreconditionFailed: it has none of the expected versions.
        ConsumerGroupNotFound: it was deleted meanwhile.
    """
    rows = ConsumerGroup.objects.select_for_update(of=("self",), no_key=True)
    held = rows.select_related("stream", "owner", "owner_team").filter(pk=group.pk).first()
    if held is None:
        raise ConsumerGroupNotFound
    check_version(held, expected, stream_id=held.stream_id, group_id=held.pk)
    return held


def delete_group(*, group: ConsumerGroup, confirm: str | None, expected: Collection[str] | None = None) -> None:
    """Delete a group with its offsets, deliveries and dead letters; the stream's events stay.

    Raises:
        PreconditionFailed: it has none of the versions for which this is meant, if any are named.
        ConsumerGroupNotFound: it was deleted meanwhile, and versions are named.
        ConfirmationMissing: `confirm` is not the group's name.
    """
    if confirm != group.name:
        count = count_open_dead_letters([group.pk]).get(group.pk, 0)
        letters = "1 open dead letter" if count == 1 else f"{count} open dead letters"
        raise ConfirmationMissing(f"This deletes its offsets and {letters}. Confirm with ?confirm={group.name}.")
    with transaction.atomic():
        if expected is not None:
            hold_group(group, expected)
        _hold(ConsumerGroup.objects.filter(pk=group.pk))
        record(
            AuditAction.GROUP_DELETED,
            stream=(group.stream_id, group.stream.name),
            group=(group.pk, group.name),
            before={
                "committed_offsets": {
                    str(number): offset
                    for number, offset in group.offsets.values_list("partition__number", "committed_offset")
                }
            },
        )
        group.delete()
        transaction.on_commit(forget_groups)


def list_group_names(stream: Stream) -> list[str]:
    """Return the names of a stream's groups, in order."""
    return list(ConsumerGroup.objects.filter(stream=stream).order_by("name").values_list("name", flat=True))


def give_places(stream: Stream, partitions: Sequence[Partition]) -> None:
    """Let each group of a stream begin partitions that are added to it, in the transaction that adds them.

    It begins at their first event, whatever its own start was: of a group that was there before there was anything in
    them, nothing may be skipped. Where it stands in the other partitions, and what is handed out of them, stays.
    """
    # One that is being deleted is gone, or goes with what it gets here.
    list(ConsumerGroup.objects.filter(stream=stream).select_for_update(no_key=True).order_by("pk").values_list("pk"))
    run("give_places", stream_id=stream.pk, partition_ids=[partition.pk for partition in partitions])


def hold_groups_of(stream: Stream) -> None:
    """Keep everybody out of the stream's groups until the end of this transaction, which deletes them."""
    _hold(ConsumerGroup.objects.filter(stream=stream))


def _hold(groups: QuerySet[ConsumerGroup]) -> None:
    """Wait until what is under way in these groups has ended; what comes later finds no offsets to work with."""
    list(groups.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    offsets = GroupOffset.objects.filter(group__in=groups)
    list(offsets.select_for_update(of=("self",)).order_by("group_id", "partition_id").values_list("pk"))
