"""What was measured, and what may be said of it."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

# Of fewer samples the one in a hundred would be the slowest of them by chance.
_SAMPLES_FOR_P99: Final = 200
# More of a processor than this, and threads of one Python program wait for one another.
_BUSY: Final = 0.85


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work.

    Attributes:
        seconds: from the first request to the last answer.
        p50_ms, p99_ms, max_ms: of a request, from sending it to having read its answer; None of too few.
        refused: requests that were not done, by their codes; they count neither as events nor among the times.
        is_paced: there were pauses on purpose, so that rates say nothing.
        client_share: of one processor, what this program took: the measure of its own part in the result.
    """

    work: str
    events: int
    requests: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    refused: dict[str, int]
    client_share: float
    is_paced: bool = False

    @property
    def events_per_second(self) -> float | None:
        return self._rate(self.events)

    @property
    def requests_per_second(self) -> float | None:
        return self._rate(self.requests)

    @property
    def is_held_up_by_client(self) -> bool:
        return self.client_share > _BUSY

    def _rate(self, count: int) -> float | None:
        return None if self.is_paced or self.seconds == 0 else count / self.seconds


def sum_up(
    work: str,
    *,
    events: int,
    took: Sequence[float],
    seconds: float,
    refused: Counter[str],
    client_seconds: float,
    is_paced: bool = False,
) -> Measured:
    """Return what the samples say; `took` has the seconds of each request that was done."""
    ordered = sorted(took)
    return Measured(
        work=work,
        events=events,
        requests=len(ordered),
        seconds=seconds,
        p50_ms=_milliseconds(percentile(ordered, 50)),
        p99_ms=_milliseconds(percentile(ordered, 99)) if len(ordered) >= _SAMPLES_FOR_P99 else None,
        max_ms=_milliseconds(ordered[-1] if ordered else None),
        refused=dict(refused),
        client_share=client_seconds / seconds if seconds > 0 else 0.0,
        is_paced=is_paced,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the smallest sample that so many percent of them do not exceed; None of none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
