"""Merging without a pause, in a process of its own that can really die: `main` is run by `tests.forked`."""

import json
import sys
import threading
from datetime import UTC, datetime, timedelta

from streams.log.protocol import Log, Merged, MergeLimits, PartitionRef


def merge_young(log: Log, partition: PartitionRef, *, max_events: int = 60) -> Merged:
    """Merge what was appended a tenth of a second ago already, into batches small enough to be made often."""
    old_enough = datetime.now(UTC) - timedelta(seconds=0.1)
    return log.merge(partition, MergeLimits(old_enough, max_events=max_events))


def main() -> None:
    import django

    django.setup()
    from streams.log import get_log

    partitions = [PartitionRef(*each) for each in json.loads(sys.argv[1])]
    stop = threading.Event()

    def stop_when_input_ends() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=stop_when_input_ends, daemon=True).start()
    while not stop.is_set():
        for partition in partitions:
            gone = merge_young(get_log(), partition).batches_gone
            if gone:
                print(gone, flush=True)
