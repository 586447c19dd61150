"""Offset mode: a consumer commits what it has finished; the committed offset never moves back by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from consumers.errors import ConsumerGroupNotFound, OffsetBeyondHead, WrongMode
from consumers.models import ConsumerGroup, GroupOffset, Mode
from consumers.statements import run
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo


class CommitOutcome(StrEnum):
    COMMITTED = "committed"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of a commit on one partition; `committed_offset` is where the group stands now."""

    partition: int
    committed_offset: int
    outcome: CommitOutcome


def commit_offsets(*, stream: StreamInfo, group: ConsumerGroup, offsets: Mapping[int, int]) -> list[CommitResult]:
    """Record that the group has finished everything up to each partition's offset: all of them or none.

    A lower offset than the committed one is `outdated` and changes nothing; the same one again is
    `committed`, so that a retry reads like the first answer.

    Args:
        offsets: partition number → offset.

    Raises:
        WrongMode: the group leases; its progress follows from its acks.
        PartitionNotFound, ConsumerGroupNotFound
        OffsetBeyondHead: nothing with that offset has been appended yet.
    """
    require_mode(group, Mode.OFFSET)
    partitions = [stream.partition(number) for number in sorted(offsets)]
    bounds = get_log().bounds(partitions)
    for partition in partitions:
        number, head = partition.number, bounds[partition.id].head_offset
        if offsets[number] > head:
            raise OffsetBeyondHead(f"Partition {number} ends at offset {head}; {offsets[number]} does not exist yet.")
    results = {}
    with transaction.atomic():
        # In the order in which everybody takes these rows (lock_offsets.sql).
        for partition in sorted(partitions, key=lambda each: each.id):
            number = partition.number
            params = {"group_id": group.pk, "partition_id": partition.id, "offset": offsets[number]}
            standing = offsets[number] if run("commit_offset", **params) else _standing(group, partition)
            outcome = CommitOutcome.COMMITTED if standing == offsets[number] else CommitOutcome.OUTDATED
            results[number] = CommitResult(number, standing, outcome)
    return [results[partition.number] for partition in partitions]


def _standing(group: ConsumerGroup, partition: PartitionRef) -> int:
    rows = GroupOffset.objects.filter(group=group, partition_id=partition.id)
    standing = rows.values_list("committed_offset", flat=True).first()
    if standing is None:
        # It was deleted since it was looked up.
        raise ConsumerGroupNotFound
    return standing


def require_mode(group: ConsumerGroup, mode: Mode, way_out: str = "") -> None:
    """Refuse a verb that the group's mode does not have, and say what to do instead.

    Raises:
        WrongMode
    """
    if group.mode != mode:
        raise WrongMode(way_out or f"{group.name} is in {group.mode} mode; this needs {mode} mode.")
