"""Leasing for groups that keep each partition's order: of a partition, one delivery at a time and always the next."""

from collections.abc import Sequence

from consumers.isolation import may_go_together
from consumers.services.leasing.ahead import Ahead
from consumers.services.leasing.due import lease_picked
from consumers.services.leasing.fresh import lease_planned
from consumers.services.leasing.rows import DueRow, Taken
from consumers.services.leasing.sharing import MAX_FRESH_PARTITIONS, FreshRange, fit, plan_fresh
from consumers.services.leasing.sorting import lease_sorted
from consumers.services.leasing.supply import Supply
from consumers.statements import run


def take_in_order(taken: Taken, supply: Supply) -> bool:
    """Lease what comes next in some partitions, each of which is locked first, in random order; whether any was ready.

    What must be handed out by itself is, if it comes first; if not, another lease will meet it first. So it is with
    suspects that are too many for one answer.
    """
    group_id = taken.terms.group.pk
    ends = {partition_id: each for partition_id, each in supply.bounds.items() if partition_id not in supply.unread_ids}
    found = run(
        "find_ready_partitions",
        group_id=group_id,
        max_rows=MAX_FRESH_PARTITIONS,
        partition_ids=list(ends),
        head_offsets=[each.head_offset for each in ends.values()],
    )
    ready = [row[0] for row in found]
    locked = run("try_lock_offsets", group_id=group_id, partition_ids=ready) if ready else []
    if not locked:
        taken.busy_partition_ids += ready[:1]
        return bool(ready)
    ours = {row[0] for row in locked}
    picked = run("pick_in_order", group_id=group_id, partition_ids=sorted(ours))
    due = {row[1]: (DueRow(*row[:7]), bool(row[7])) for row in picked}
    chosen: list[DueRow] = []
    fresh: list[FreshRange] = []
    to_sort: list[Ahead] = []
    passed: list[DueRow] = []
    for partition_id in (each for each in ready if each in ours):
        left = taken.room - sum(row.event_count for row in chosen) - sum(each.room for each in fresh)
        if left <= 0:
            break
        row, is_alone = due.get(partition_id, (None, False))
        if row is None and partition_id in supply.sorted_ids:
            to_sort += [ahead for ahead in supply.ahead if ahead.partition_id == partition_id]
        elif row is None:
            fresh += plan_fresh({partition_id: supply.reached.get(partition_id, 0)}, supply.bounds, left)
        elif is_alone and not chosen and not fresh and not to_sort:
            lease_picked(taken, fit([row], taken.room), is_alone=True)
            return True
        elif is_alone:
            passed.append(row)
        elif _may_join(row, chosen):
            chosen.append(row)
    lease_picked(taken, fit(chosen, taken.room - sum(each.room for each in fresh)))
    lease_planned(taken, fresh, in_order=True)
    for ahead in to_sort:
        if taken.left > 0:
            lease_sorted(taken, ahead, now=supply.pulse.now, in_order=True)
    if taken.is_nothing:
        # All that was to be sorted was sorted out.
        lease_picked(taken, fit(passed[:1], taken.room), is_alone=True)
    return True


def _may_join(row: DueRow, chosen: Sequence[DueRow]) -> bool:
    suspects = [each for each in chosen if each.suspect_limit]
    return not row.suspect_limit or not suspects or may_go_together([*suspects, row])
