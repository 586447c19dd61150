"""A program that appends events with the same ids as its fellows, over and over, until it is killed or has sent all."""

import json
import os
import random
import sys
from collections.abc import Sequence

from streams.digests import digests_of
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.protocol import Appended, Deduplication, Log, PartitionAppend, PartitionRef
from streams.models import Partition
from tests.streams.log.appending import event

DAY = 86_400


def once(partition: PartitionRef, stream_id: int, names: Sequence[str]) -> PartitionAppend:
    ids = Deduplication(stream_id, DAY, digests_of(names))
    return PartitionAppend(partition, [event(name) for name in names], ids)


def send_all(log: Log, partitions: Sequence[PartitionRef], stream_id: int, names: Sequence[str], seed: str) -> None:
    """Send each of the ids at least once, shuffled, in batches, each to a partition by chance, and say when that is done.

    What was not stored, or nobody knows of, is sent again, as a producer would: to whichever partition comes up.
    """
    dice = random.Random(seed)
    left = dice.sample(names, len(names))
    while left:
        size = dice.randint(1, 8)
        batch, left = left[:size], left[size:]
        for _ in range(50):
            try:
                appended = log.append([once(dice.choice(partitions), stream_id, batch)])
            except (AppendNotStored, AppendOutcomeUnknown):
                continue
            tell(appended, batch)
            break
        else:
            raise RuntimeError(f"nobody takes {batch}")


def tell(appended: Appended, names: Sequence[str]) -> None:
    """Write a line for each event: its id, and where it is said to be."""
    (stored,) = appended.ranges
    offsets = iter(range(stored.first_offset, stored.last_offset + 1))
    lines = []
    for position, name in enumerate(names):
        first = stored.repeats.get(position)
        number, offset = (first.partition_number, first.offset) if first else (stored.partition.number, next(offsets))
        lines.append(f"{name} {number} {offset}\n")
    os.write(1, "".join(lines).encode())


def main() -> None:
    import django

    django.setup()
    from streams.log import close_log, get_log

    options = json.loads(sys.argv[1])
    partitions = [PartitionRef(*each) for each in options["partitions"]]
    stream_id = Partition.objects.get(pk=partitions[0].id).stream_id
    send_all(get_log(), partitions, stream_id, options["names"], options["seed"])
    close_log()
