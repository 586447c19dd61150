"""Adding partitions to a stream that is in use: what that changes for whom, and doing it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from streams.errors import PartitionsOnlyAdded
from streams.log import get_log, require_offer
from streams.log.protocol import Capability, PartitionRef
from streams.lookup import info_of
from streams.models import Partition, Stream
from streams.partitioning import share_of_keys_that_move

# So many groups are named in a sentence.
_NAMED_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class PartitionGrowth:
    """What more partitions change for who uses a stream. Events that are stored stay where they are.

    Attributes:
        moving_share: which part of all keys goes to another partition from then on, 0 to 1; the order of such a key's
            events does not hold across the change.
        has_events: something was appended to the stream before; if not, no key has been anywhere yet.
        groups: those that read the stream, by name; each begins the new partitions at their first event.
    """

    before: int
    after: int
    moving_share: float
    has_events: bool
    groups: Sequence[str]

    @property
    def moving_percent(self) -> int:
        return round(100 * self.moving_share)

    @property
    def explanation(self) -> str:
        """Say what changes, in sentences."""
        told = (
            f"This makes {self.before} partition{'s' if self.before > 1 else ''} {self.after}, for good. About "
            f"{self.moving_percent}% of all keys go to another partition with their new events, which are in no order "
            "with those that are stored; these stay where they are."
        )
        if self.before == 1:
            told += (
                " Who reads or commits by one number, without a partition, or appends with `If-Head` and without a "
                "key, is refused from then on."
            )
        if not self.groups:
            return told
        named = list(self.groups[:_NAMED_GROUPS])
        more = [f"{len(self.groups) - _NAMED_GROUPS} more groups"] if len(self.groups) > _NAMED_GROUPS else []
        return f"{told} These begin the new partitions at their first event: {', '.join(named + more)}."


# Asked which groups read a stream: streams know none.
find_groups: Final[list[Callable[[Stream], Sequence[str]]]] = []
# Called in the transaction that adds partitions, with the new ones: each group gets its place in them.
after_addition: Final[list[Callable[[Stream, Sequence[Partition]], None]]] = []


def find_partition_growth(*, stream: Stream, changes: Mapping[str, Any]) -> PartitionGrowth | None:
    """Return what these changes (fields of the model) do to a stream's partitions; None: they add none.

    Raises:
        PartitionsOnlyAdded: they ask for fewer than there are.
        NotOffered: its engine cannot have partitions added.
    """
    before = stream.partition_count
    after = changes.get("partition_count", before)
    if after < before:
        raise PartitionsOnlyAdded(
            f"{stream.name} has {before} partitions, and {after} {'is' if after == 1 else 'are'} fewer: partitions can "
            f"only be added. Ask for more than {before}, or leave `partitions` out."
        )
    if after == before:
        return None
    require_offer(stream.engine, Capability.PLACE_AMONG)
    bounds = get_log().bounds(info_of(stream).partitions)
    return PartitionGrowth(
        before,
        after,
        moving_share=share_of_keys_that_move(before, after),
        has_events=any(ends.head_offset for ends in bounds.values()),
        groups=[name for find in find_groups for name in find(stream)],
    )


def add_partitions(stream: Stream, count: int) -> None:
    """Give a stream more partitions, up to `count`; the caller holds its row, and forgets it after the commit.

    Until the end of the transaction appends to the stream wait. What was placed among fewer partitions and comes later
    is refused by the log, and placed again by whoever sent it.
    """
    present = info_of(stream).partitions
    if not stream.first_partition_count:
        stream.first_partition_count = len(present)
        stream.save(update_fields=["first_partition_count"])
    added = Partition.objects.bulk_create(
        Partition(stream=stream, number=number, least_placed_among=count) for number in range(len(present), count)
    )
    refs = [PartitionRef(each.pk, stream.name, each.number) for each in added]
    get_log().ensure(refs)
    # The groups before the partitions: as everybody waits for them (docs/architecture.md, "Who waits for whom").
    for give_places in after_addition:
        give_places(stream, added)
    # Foreign keys are looked at now, and not at the commit: from the next line on appends wait.
    connection.check_constraints()
    get_log().place_among([*present, *refs], count)
