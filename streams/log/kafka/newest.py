"""When the newest event of each partition was recorded, as far as this process has seen."""

import threading
from datetime import datetime
from typing import NamedTuple


class _Seen(NamedTuple):
    offset: int
    recorded_at: datetime


class NewestSeen:
    """Safe from any thread; what is seen late does not replace what is newer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, _Seen] = {}

    def note(self, partition_id: int, offset: int, recorded_at: datetime) -> None:
        with self._lock:
            before = self._seen.get(partition_id)
            if before is None or offset > before.offset:
                self._seen[partition_id] = _Seen(offset, recorded_at)

    def recorded_at(self, partition_id: int) -> datetime | None:
        """Return when the newest event that was seen was recorded; None: none was."""
        seen = self._seen.get(partition_id)
        return None if seen is None else seen.recorded_at

    def offset(self, partition_id: int) -> int:
        """Return the highest offset that was seen; 0: none was."""
        seen = self._seen.get(partition_id)
        return 0 if seen is None else seen.offset

    def forget(self, partition_id: int) -> None:
        with self._lock:
            self._seen.pop(partition_id, None)
