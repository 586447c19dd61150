"""Waking consumers that wait for a lease when something other than an append gave them work."""

from collections.abc import Iterable

from django.db import transaction

from streams.conf import MAX_OFFSET
from streams.log import get_wakeups


def wake_consumers(partition_ids: Iterable[int]) -> None:
    """Once this transaction has committed, let whoever waits for these partitions look again.

    A hint: one that is lost is made up for by their own look at least every few seconds.
    """
    # Beyond every head, so that it wakes all of them, whatever they have seen.
    heads = dict.fromkeys(partition_ids, MAX_OFFSET)
    if heads:
        transaction.on_commit(lambda: get_wakeups().announce(heads))
