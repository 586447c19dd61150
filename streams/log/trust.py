"""Which streams' producers are trusted to send new ids: these are stored without a look, and the index tells if not.

A look costs as much as storing the ids. Where ids come again, a commit without it is in vain and has to be made anew.
"""

from collections.abc import Iterable
from time import monotonic
from typing import Final

# So long a stream is not trusted after ids came again.
_DISTRUST_SECONDS: Final = 60.0
_MAX_STREAMS: Final = 10_000


class Trust:
    """What one process has seen of streams' ids. Not for more than one thread."""

    def __init__(self) -> None:
        self._distrusted_until: dict[int, float] = {}

    def distrust(self, stream_ids: Iterable[int]) -> None:
        """Note that ids of these streams came again, or may have."""
        until = monotonic() + _DISTRUST_SECONDS
        for stream_id in stream_ids:
            # The last in the order of the dictionary is the one that was noted last.
            self._distrusted_until.pop(stream_id, None)
            self._distrusted_until[stream_id] = until
        while len(self._distrusted_until) > _MAX_STREAMS:
            del self._distrusted_until[next(iter(self._distrusted_until))]

    def has(self, stream_id: int) -> bool:
        """Whether the ids of a stream's next events are likely to be new."""
        return self._distrusted_until.get(stream_id, 0.0) < monotonic()
