"""Where partitions lie by now, for whoever holds a reference that may be older than a move."""

import threading
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from accounts.short_memory import ShortMemory
from streams.conf import EPOCH_MEMORY_SECONDS, FENCE_LOOK_SECONDS
from streams.log.epochs import find_epochs
from streams.log.protocol import Epoch, PartitionRef
from streams.log.statements import run

_MOST: Final = 10_000


class Whereabouts(NamedTuple):
    """Where partitions lie, by id, and whether any of them is just being closed there."""

    epochs: dict[int, tuple[Epoch, ...]]
    is_fenced: bool

    def of(self, partition: PartitionRef) -> PartitionRef:
        return partition._replace(epochs=self.epochs.get(partition.id, ()))


class CurrentEpochs:
    """What a process knows of it. Safe from any thread that may ask the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[float, tuple[Epoch, ...]]] = {}
        self._whereabouts: ShortMemory[tuple[int, ...], Whereabouts] = ShortMemory(
            seconds=FENCE_LOOK_SECONDS, size=_MOST
        )

    def of(self, partitions: Sequence[PartitionRef], *, are_outdated: bool = False) -> list[PartitionRef]:
        """Return partitions as they lie now, or lay less than a second ago: in one query at most, and seldom one.

        Args:
            are_outdated: they are known to have moved since: what is not newer than them is no answer.
        """
        now = time.monotonic()
        with self._lock:
            known = {
                each.id: self._known[each.id][1]
                for each in partitions
                if each.id in self._known
                and now - self._known[each.id][0] < EPOCH_MEMORY_SECONDS
                and not (are_outdated and _last_number(self._known[each.id][1]) <= _last_number(each.epochs))
            }
        missing = {each.id for each in partitions if each.id not in known}
        if missing:
            found = find_epochs(missing)
            known |= {partition_id: found.get(partition_id, ()) for partition_id in missing}
            with self._lock:
                if len(self._known) > _MOST:
                    self._known.clear()
                self._known |= {partition_id: (now, known[partition_id]) for partition_id in missing}
        # Where nobody has looked now, somebody else may have looked later than we did. What was looked up now is newer
        # than any of them: also where fewer stretches are left, or none.
        return [
            each
            if each.id not in missing and _last_number(each.epochs) > _last_number(known[each.id])
            else each._replace(epochs=known[each.id])
            for each in partitions
        ]

    async def whereabouts(self, partitions: Sequence[PartitionRef]) -> Whereabouts:
        """Return where partitions lie at this moment; whoever asks at once is answered together."""
        ids = tuple(sorted({each.id for each in partitions}))
        return await self._whereabouts.get_async(ids, lambda: self._look(ids))

    def _look(self, ids: tuple[int, ...]) -> Whereabouts:
        # In this order: a fence that is gone by now has left the epochs as they are read then.
        is_fenced = bool(run("fenced", partition_ids=list(ids)))
        epochs = dict(find_epochs(ids))
        now = time.monotonic()
        with self._lock:
            self._known |= {each: (now, epochs.get(each, ())) for each in ids}
        return Whereabouts(epochs, is_fenced)


def _last_number(epochs: Sequence[Epoch]) -> int:
    return epochs[-1].number if epochs else 0
