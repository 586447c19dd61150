"""What has to happen without anybody asking: expired leases and events, exhausted deliveries, old memories.

Every function is idempotent and works in steps of one transaction each: a tick that is lost, doubled or killed half-way
does not matter, and the lease path does the first ones itself where it meets them.
"""

import logging
import time
from functools import partial
from itertools import groupby

from django.db import DatabaseError

from accounts.steps import repeat_while_full
from consumers.conf import (
    ENDED_LEASE_SECONDS,
    HISTORY_SECONDS,
    MEMBER_SECONDS,
    PURGE_STEP_ROWS,
    PURGE_TICK_SECONDS,
    RECONCILE_MAX_SECONDS,
)
from consumers.models import ConsumerGroup
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.key_order import EndedKey, let_next_go
from consumers.services.leasing.expiry import expire_leases
from consumers.services.leasing.lapsing import end_lapsed
from consumers.services.losses import count_all_losses
from consumers.statements import run, run_by_key
from streams.errors import LogUnavailable

logger = logging.getLogger("eventflow.consumers")


def reconcile_deliveries(*, max_seconds: float = RECONCILE_MAX_SECONDS) -> int:
    """Take back expired leases, move exhausted deliveries to the dead letters and end what expired; return how many.

    Of all groups.

    It ends after `max_seconds` at the latest: what is left is for the next tick. One group in trouble does not
    keep the others waiting.
    """
    deadline = time.monotonic() + max_seconds
    groups = [row[0] for row in run("find_groups_to_reconcile")]
    total = 0
    while groups and time.monotonic() < deadline:
        remaining = []
        for group in ConsumerGroup.objects.select_related("stream").filter(pk__in=groups).order_by("pk"):
            try:
                done = expire_leases(group=group) + move_exhausted(group=group) + end_lapsed(group=group)
            except LogUnavailable as error:
                logger.warning("%s of %s waits for its events: %s", group.name, group.stream.name, error.detail)
                continue
            except DatabaseError:
                logger.exception("could not reconcile the group %s of %s", group.name, group.stream.name)
                continue
            total += done
            if done:
                remaining.append(group.pk)
        groups = remaining
    return total


def repair_offsets() -> int:
    """Move committed offsets on that an ack was killed before moving; return how many.

    An ack finishes its deliveries in one statement and, where others stood before them, moves the offset in a second.
    """
    found = run("find_held_back_offsets")
    moved = 0
    for group_id, rows in groupby(found, key=lambda row: row[0]):
        moved += len(run("advance_offsets", group_id=group_id, partition_ids=[row[1] for row in rows]))
    return moved


def repair_keys() -> int:
    """Let events go that are held up by nothing any more; return how many.

    Who ends a delivery lets the next of its key go in the same transaction, but for a process that had not heard yet
    that its group keeps the order of keys: it takes two.
    """
    found = run_by_key("find_forgotten_keys")
    for group_id, rows in groupby(found, key=lambda row: row[0]):
        let_next_go(group_id, [EndedKey(partition_id, key_hash) for _, partition_id, key_hash in rows])
    return len(found)


def tidy_up() -> int:
    """Repair offsets and keys, count losses, and forget old leases, history and members; return how many rows."""
    count_all_losses()
    return (
        repair_offsets()
        + repair_keys()
        + _purge("delete_ended_leases", older_than=ENDED_LEASE_SECONDS)
        + _purge("delete_history", older_than=HISTORY_SECONDS)
        + _purge("delete_members", older_than=MEMBER_SECONDS)
    )


def _purge(statement: str, *, older_than: int) -> int:
    step = partial(_purge_step, statement, older_than)
    return repeat_while_full(step, full=PURGE_STEP_ROWS, seconds=PURGE_TICK_SECONDS)


def _purge_step(statement: str, older_than: int) -> int:
    ((deleted,),) = run(statement, older_than=older_than, max_rows=PURGE_STEP_ROWS)
    return int(deleted)
