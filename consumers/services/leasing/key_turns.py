"""The turns of keys, under the offset row of their partition: whoever changes them holds it."""

from django.conf import settings

from consumers.key_turns import KeyTurns
from consumers.services.leasing.ahead import Ahead
from consumers.services.leasing.rows import Taken
from consumers.sorting import key_hash_of
from consumers.statements import run, run_by_key


def hold_turns(taken: Taken, ahead: Ahead) -> KeyTurns | None:
    """Return the turns of the keys of what was read, which nobody changes until the end of this transaction.

    None: nothing of it may be sorted now. Somebody else holds the partition, or what was handed out before the order
    of keys was kept is not finished yet.
    """
    group_id = taken.terms.group.pk
    # Decoded before anything is locked.
    keys = {event.key for _, event in ahead.decoded if event.key is not None}
    locked = run("lock_key_order", group_id=group_id, partition_id=ahead.partition_id)
    if not locked:
        taken.busy_partition_ids.append(ahead.partition_id)
        return None
    ((is_begun, held_up),) = locked
    ahead.is_stuck = not is_begun
    if not is_begun:
        return None
    hashes = [key_hash_of(key) for key in keys]
    rows = run_by_key("find_key_turns", group_id=group_id, partition_id=ahead.partition_id, key_hashes=hashes)
    return KeyTurns.of(rows, room=settings.MAX_HELD_UP - held_up)
