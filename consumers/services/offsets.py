"""Offset mode: a consumer commits what it has finished; the committed offset never moves back by itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from accounts.database_threads import in_database_thread
from accounts.waits import run_blocking
from consumers.errors import ConsumerGroupNotFound, GroupPaused, OffsetBeyondHead, WrongMode
from consumers.models import ConsumerGroup, Mode
from consumers.services.losses import count_losses
from consumers.services.shared_commits import share
from consumers.statements import run
from streams.log import engine_aliases, get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.lookup import StreamInfo, partitions_of_async, renewed


class CommitOutcome(StrEnum):
    COMMITTED = "committed"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of a commit on one partition; `committed_offset` is where the group stands now."""

    partition: int
    committed_offset: int
    outcome: CommitOutcome


async def commit_offsets_async(
    *, stream: StreamInfo, group: ConsumerGroup, offsets: Mapping[int, int]
) -> list[CommitResult]:
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
    try:
        return await _commit_all(stream, group, offsets)
    except OffsetBeyondHead:
        if not engine_aliases():
            raise
        # Whoever read those offsets may have known before us that the stream lies elsewhere.
        now = await in_database_thread(lambda: renewed(stream))
        if now.partitions == stream.partitions:
            raise
        return await _commit_all(now, group, offsets)


async def _commit_all(stream: StreamInfo, group: ConsumerGroup, offsets: Mapping[int, int]) -> list[CommitResult]:
    numbers = sorted(offsets)
    partitions = await partitions_of_async(stream, numbers)
    wanted = {partition: offsets[number] for partition, number in zip(partitions, numbers, strict=True)}
    return await share(("commit", group.pk), wanted, partial(_commit, group), size=len(wanted))


def commit_offsets(*, stream: StreamInfo, group: ConsumerGroup, offsets: Mapping[int, int]) -> list[CommitResult]:
    """Do what `commit_offsets_async` does, in a thread that may wait."""
    return run_blocking(commit_offsets_async(stream=stream, group=group, offsets=offsets))


def _commit(
    group: ConsumerGroup, calls: Sequence[Mapping[PartitionRef, int]]
) -> Callable[[], Sequence[list[CommitResult] | Exception]]:
    """Commit for all who call at once, in one statement."""
    bounds = get_log().bounds(list({partition: None for wanted in calls for partition in wanted}))
    faults = [_fault(wanted, bounds) for wanted in calls]
    accepted = [wanted for wanted, fault in zip(calls, faults, strict=True) if fault is None]
    highest: dict[int, int] = {}
    for partition, offset in (item for wanted in accepted for item in wanted.items()):
        highest[partition.id] = max(offset, highest.get(partition.id, 0))
    standing = _advance_to(group, highest, bounds) if highest else {}
    # As if they had come one after the other.
    return lambda: [fault or _advance(standing, wanted) for wanted, fault in zip(calls, faults, strict=True)]


def _advance_to(group: ConsumerGroup, highest: Mapping[int, int], bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """Move the committed offsets, by partition id; return where each stood before."""
    ends = {partition_id: bounds[partition_id] for partition_id in highest}

    def commit() -> list[tuple[int, int, bool]]:
        rows = run(
            "commit_offsets",
            group_id=group.pk,
            partition_ids=list(highest),
            offsets=list(highest.values()),
            earliest_offsets=[each.earliest_offset for each in ends.values()],
        )
        return [(partition_id, before, has_uncounted) for partition_id, before, has_uncounted in rows]

    rows = commit()
    if any(has_uncounted for *_, has_uncounted in rows):
        count_losses(group_id=group.pk, bounds=ends)
        rows = commit()
    return {partition_id: before for partition_id, before, _ in rows}


def _fault(
    wanted: Mapping[PartitionRef, int], bounds: Mapping[int, Bounds]
) -> OffsetBeyondHead | ConsumerGroupNotFound | None:
    for partition, offset in wanted.items():
        if partition.id not in bounds:
            # The stream was deleted since it was looked up, and its groups with it.
            return ConsumerGroupNotFound()
        head = bounds[partition.id].head_offset
        if offset > head:
            return OffsetBeyondHead(f"Partition {partition.number} ends at offset {head}; {offset} does not exist yet.")
    return None


def _advance(
    standing: dict[int, int], wanted: Mapping[PartitionRef, int]
) -> list[CommitResult] | ConsumerGroupNotFound:
    if any(partition.id not in standing for partition in wanted):
        # It was deleted since it was looked up.
        return ConsumerGroupNotFound()
    results = []
    for partition, offset in wanted.items():
        standing[partition.id] = max(standing[partition.id], offset)
        outcome = CommitOutcome.COMMITTED if standing[partition.id] == offset else CommitOutcome.OUTDATED
        results.append(CommitResult(partition.number, standing[partition.id], outcome))
    return results


def require_mode(group: ConsumerGroup, mode: Mode, way_out: str = "") -> None:
    """Refuse a verb that the group's mode does not have, and say what to do instead.

    Raises:
        WrongMode
    """
    if group.mode != mode:
        raise WrongMode(way_out or f"{group.name} is in {group.mode} mode; this needs {mode} mode.")


def require_going_on(group: ConsumerGroup) -> None:
    """Refuse to read for an offset-mode group that is paused; one in lease mode is simply handed out nothing.

    Raises:
        GroupPaused
    """
    if group.is_paused and group.mode == Mode.OFFSET:
        raise GroupPaused(f"{group.name} is paused: whoever manages it or its stream can let it go on.")
