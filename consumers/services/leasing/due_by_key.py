"""Picking what is due where the order of keys is kept: of a key, one event at a time is in anybody's hands.

Redrives stand outside of the order, so two events of a key may be due at once. They are leased under their partitions'
offset rows, one after the other.
"""

from consumers.services.leasing.rows import DueRow, Taken
from consumers.statements import run, run_by_key

# How what would be picked by a statement is found here, before it is locked.
_FINDERS = {
    "pick_due": "find_due_by_key",
    "pick_suspects": "find_suspects_by_key",
    "pick_alone": "find_alone_by_key",
}


def pick_by_key(statement: str, taken: Taken, *, max_rows: int = 1) -> list[DueRow]:
    """Pick what a statement would pick where no such order is kept, of partitions that nobody else is busy with."""
    group_id = taken.terms.group.pk
    found = run_by_key(_FINDERS[statement], group_id=group_id, max_rows=max_rows)
    if not found:
        return []
    partition_ids = sorted({partition_id for _, partition_id in found})
    ours = [row[0] for row in run("try_lock_offsets", group_id=group_id, partition_ids=partition_ids)]
    taken.busy_partition_ids += [each for each in partition_ids if each not in ours]
    if not ours:
        return []
    ids = [delivery_id for delivery_id, _ in found]
    return [
        DueRow(*row) for row in run_by_key("pick_due_by_key", group_id=group_id, delivery_ids=ids, partition_ids=ours)
    ]
