"""When the events of a merged batch were recorded: each keeps its own time, and most neighbours share one.

A batch that one append stored has one time, in its row. One that was merged of several has a head in front of its
records: its runs of events of equal time. It stands there and not in a column, so that what a row takes is still the
length of its records, and so that a release which does not know it refuses the batch, by its codec, and does not give
out wrong times.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, chain, repeat
from typing import Final, NamedTuple, Self

import zstandard

from streams.conf import MAX_BATCH_EVENTS
from streams.log.codecs import compress, decompress
from streams.log.protocol import LogDamaged
from streams.times import count_microseconds, moment_of

# In front of the head: how long it is.
_LENGTH: Final = struct.Struct("<H")
# Of a run: the microseconds since the one before it (8 bytes), and its events (2).
_STEP_BYTES: Final = 8
_RUN_BYTES: Final = _STEP_BYTES + 2
_MAX_BYTES: Final = MAX_BATCH_EVENTS * _RUN_BYTES


class RecordedTimes(NamedTuple):
    """Runs of neighbouring events that were recorded at one moment, oldest first.

    Attributes:
        counts: how many events each run has.
        moments: when they were recorded, in microseconds since 1970; they only rise.
    """

    counts: Sequence[int]
    moments: Sequence[int]

    @classmethod
    def of(cls, runs: Iterable[tuple[int, int]]) -> Self:
        """Join runs (count, moment) that follow each other; those of equal time become one."""
        counts: list[int] = []
        moments: list[int] = []
        for count, moment in runs:
            if moments and moments[-1] == moment:
                counts[-1] += count
            else:
                counts.append(count)
                moments.append(moment)
        return cls(counts, moments)

    @property
    def event_count(self) -> int:
        return sum(self.counts)

    def of_each(self) -> Iterator[int]:
        """Yield the moment of every event."""
        return chain.from_iterable(map(repeat, self.moments, self.counts))

    def at(self, index: int) -> datetime:
        """Return when the event at an index (from 0) was recorded."""
        ends = list(accumulate(self.counts))
        return moment_of(self.moments[bisect_left(ends, index + 1)])

    def first_since(self, moment: datetime) -> int:
        """Return the index of the first event recorded at that moment or later; `event_count` if none was."""
        return sum(self.counts[: bisect_left(self.moments, count_microseconds(moment))])

    def pack(self) -> bytes:
        """Return the head that says this: at most a few bytes for each run, most often less than two."""
        steps = [after - before for before, after in zip([0, *self.moments[:-1]], self.moments, strict=True)]
        count = len(steps)
        plain = struct.pack(f"<{count}Q", *steps)
        # By the significance of the bytes: those that are nearly always the same stand side by side.
        columns = b"".join(plain[place::_STEP_BYTES] for place in range(_STEP_BYTES))
        packed = compress(columns + struct.pack(f"<{count}H", *self.counts))
        return _LENGTH.pack(len(packed)) + packed


def cut_head(stored: bytes) -> tuple[bytes, memoryview]:
    """Return the head of a merged batch and the records behind it.

    Raises:
        LogDamaged: it ends within its head.
    """
    if len(stored) < _LENGTH.size:
        raise LogDamaged("it ends within its head")
    end = _LENGTH.size + _LENGTH.unpack_from(stored)[0]
    if len(stored) <= end:
        raise LogDamaged("it ends within its head")
    return stored[:end], memoryview(stored)[end:]


def unpack_times(stored: bytes, *, event_count: int, recorded_at: datetime) -> RecordedTimes:
    """Return the times that stand in front of a merged batch.

    Args:
        stored: the batch, or its head alone.
        event_count, recorded_at: what its row says; the second is the time of the newest event.

    Raises:
        LogDamaged: they are not what `pack` makes, or say something else than the row.
    """
    if len(stored) < _LENGTH.size:
        raise LogDamaged("it ends within its head")
    packed = stored[_LENGTH.size : _LENGTH.size + _LENGTH.unpack_from(stored)[0]]
    try:
        plain = decompress(packed, max_bytes=_MAX_BYTES)
    except zstandard.ZstdError as error:
        raise LogDamaged(f"its times: {error}") from error
    count, rest = divmod(len(plain), _RUN_BYTES)
    if rest or not count:
        raise LogDamaged("its times end within a run")
    steps = bytearray(count * _STEP_BYTES)
    for place in range(_STEP_BYTES):
        steps[place::_STEP_BYTES] = plain[place * count : (place + 1) * count]
    moments = list(accumulate(struct.unpack(f"<{count}Q", steps)))
    times = RecordedTimes(struct.unpack(f"<{count}H", plain[count * _STEP_BYTES :]), moments)
    if times.event_count != event_count or moments[-1] != count_microseconds(recorded_at):
        raise LogDamaged("its times are not those of its row")
    return times


class BatchTimes(NamedTuple):
    """What a row tells of its events' times without its records: `head` is null unless it was merged."""

    last_offset: int
    event_count: int
    recorded_at: datetime
    head: bytes | None

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.event_count + 1

    def at(self, offset: int) -> datetime:
        """Return when the event at an offset was recorded; before the batch's first one, when that was."""
        times = self._times()
        return self.recorded_at if times is None else times.at(max(0, offset - self.first_offset))

    def first_since(self, moment: datetime) -> int:
        """Return the offset of the first event recorded at that moment or later; last + 1 if none was."""
        times = self._times()
        if times is not None:
            return self.first_offset + times.first_since(moment)
        return self.first_offset if self.recorded_at >= moment else self.last_offset + 1

    def _times(self) -> RecordedTimes | None:
        if self.head is None:
            return None
        try:
            return unpack_times(self.head, event_count=self.event_count, recorded_at=self.recorded_at)
        except LogDamaged:
            # Who reads the batch is told. Here one damaged batch must not stand in the way of all groups' numbers.
            return None
