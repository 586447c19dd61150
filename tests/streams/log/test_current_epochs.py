"""Where a partition lies by now: nobody is sent back to where it lay before."""

import time

from streams.log.current_epochs import CurrentEpochs
from streams.log.protocol import Epoch, PartitionRef

THERE = Epoch(1, "kafka-main", "orders.1.1", "id-1")
BACK = Epoch(2, "postgres", "", "")


def test_who_knows_of_a_later_move_than_the_process_keeps_it():
    current = CurrentEpochs()
    current._known[1] = (time.monotonic(), (THERE,))
    moved_since = PartitionRef(1, "orders", 0, (THERE, BACK))
    assert current.of([moved_since]) == [moved_since]
    assert current.of([PartitionRef(1, "orders", 0)]) == [PartitionRef(1, "orders", 0, (THERE,))]
