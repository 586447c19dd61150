"""The readers of this process that wait, and how they are woken: a latch for each, no connection for any."""

import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from accounts.latches import Latch, LoopLatch, ThreadLatch, open_all
from accounts.waits import running_loop


class Watch:
    """One reader that waits for any of some partitions. Enter it *before* reading, then wait.

    So an append between the read and the wait is not missed.
    """

    __slots__ = ("_watches", "heads", "latch")

    def __init__(self, watches: "Watches", partition_ids: Iterable[int]) -> None:
        self._watches = watches
        # What the reader has seen of each partition; -1: it has not said.
        self.heads: dict[int, int] = dict.fromkeys(partition_ids, -1)
        self.latch: Latch = ThreadLatch() if running_loop() is None else LoopLatch()

    def __enter__(self) -> Self:
        self._watches.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watches.remove(self)

    def saw(self, partition_id: int, head_offset: int) -> None:
        """Tell the head that the read found, so that only what moves past it wakes this reader again."""
        self.heads[partition_id] = head_offset

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` in a thread; whether something was appended, as far as anybody can tell."""
        if not isinstance(self.latch, ThreadLatch):
            raise TypeError("a loop must not stand still: await wait_async")
        return self.latch.wait(seconds)

    async def wait_async(self, seconds: float) -> bool:
        """Do what `wait` does, and let the event loop go on meanwhile; without a loop, block like it."""
        return await self.latch.wait(seconds) if isinstance(self.latch, LoopLatch) else self.wait(seconds)

    def wake(self) -> None:
        """Let the reader go on, from any thread; harmless when it does already."""
        open_all([self.latch])


class Watches:
    """Who waits for which partitions; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_partition: dict[int, set[Watch]] = {}

    def add(self, watch: Watch) -> None:
        with self._lock:
            for partition_id in watch.heads:
                self._by_partition.setdefault(partition_id, set()).add(watch)

    def remove(self, watch: Watch) -> None:
        with self._lock:
            for partition_id in watch.heads:
                watches = self._by_partition.get(partition_id)
                if watches is not None:
                    watches.discard(watch)
                    if not watches:
                        del self._by_partition[partition_id]

    def wake(self, partition_ids: Iterable[int]) -> None:
        """Wake all who wait for any of the partitions."""
        open_all([watch.latch for partition_id in partition_ids for watch in self._of(partition_id)])

    def wake_behind(self, heads: Mapping[int, int]) -> None:
        """Wake those who have not seen as far as these heads."""
        open_all(
            [
                watch.latch
                for partition_id, head_offset in heads.items()
                for watch in self._of(partition_id)
                if watch.heads.get(partition_id, -1) < head_offset
            ]
        )

    def partition_ids(self) -> list[int]:
        """Return the partitions that anybody waits for."""
        with self._lock:
            return list(self._by_partition)

    def __len__(self) -> int:
        """How many readers wait; one that waits for several partitions counts for each."""
        with self._lock:
            return sum(map(len, self._by_partition.values()))

    def _of(self, partition_id: int) -> list[Watch]:
        # Copied under the lock, woken outside it: a thousand readers must not make an append wait.
        with self._lock:
            return list(self._by_partition.get(partition_id, ()))
