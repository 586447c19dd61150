"""Where adding up begins in a topic that was there before its stream: with what comes from then on.

To count what others wrote in years would take as long as reading it.
"""

from collections.abc import Sequence

from observability.models import RollupCursor
from streams.models import Partition


def begin_at_the_end(partitions: Sequence[Partition]) -> None:
    """Let roll-ups of new partitions begin behind what is there; in the transaction that makes them."""
    RollupCursor.objects.bulk_create(
        RollupCursor(
            partition=each,
            stream_id=each.stream_id,
            rolled_up_offset=each.head_offset,
            rolled_up_until=each.last_recorded_at,
        )
        for each in partitions
        if each.head_offset
    )
