"""What groups would lose to retention."""

from collections.abc import Sequence

from consumers.models import GroupOffset
from streams.services.retention_changes import GroupLoss, PartitionLoss


def find_group_losses(losses: Sequence[PartitionLoss]) -> list[GroupLoss]:
    """Return the groups that have not finished what would go, and how much of it each, in one query."""
    by_id = {loss.partition.id: loss for loss in losses}
    offsets = GroupOffset.objects.filter(partition_id__in=list(by_id)).order_by()
    unread: dict[str, int] = {}
    for name, partition_id, committed in offsets.values_list("group__name", "partition_id", "committed_offset"):
        loss = by_id[partition_id]
        count = loss.last_offset - max(committed, loss.first_offset - 1)
        if count > 0:
            unread[name] = unread.get(name, 0) + count
    return [GroupLoss(name, count) for name, count in unread.items()]
