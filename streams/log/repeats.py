"""Which events of a commit were stored before it, or come twice in it."""

from collections.abc import Mapping
from typing import NamedTuple

from streams.log.lanes import Lane
from streams.log.protocol import NO_REPEATS, Deduplication, EarlierEvent


class FirstHere(NamedTuple):
    """The event of this commit that has an id first: the lane it is in, and how many stand before it there."""

    lane: Lane
    position: int


class Sifted(NamedTuple):
    """One append: what it repeats, by position; and the digests of its other events with their places in the lane."""

    repeats: Mapping[int, EarlierEvent | FirstHere]
    fresh: dict[bytes, int]


class MetIds:
    """The ids that the streams of one commit have met: those stored before it, and those of its own events.

    Args:
        earlier: by stream, what was stored before under the digests that this commit brings.
    """

    def __init__(self, earlier: Mapping[int, Mapping[bytes, EarlierEvent]]) -> None:
        self._earlier = earlier
        # By stream and lane: digests with their places in the lane.
        self._here: dict[int, dict[Lane, dict[bytes, int]]] = {}

    def sift(self, ids: Deduplication, lane: Lane) -> Sifted:
        """Tell which events of an append are repeated, if it is placed in the lane next. Nothing is noted yet."""
        digests, start = ids.digests, lane.event_count
        fresh = dict(zip(digests, range(start, start + len(digests)), strict=True))
        met = [self._earlier.get(ids.stream_id, {}), *self._here.get(ids.stream_id, {}).values()]
        # Nearly always all of them are new.
        if len(fresh) == len(digests) and (ids.are_new or all(fresh.keys().isdisjoint(each.keys()) for each in met)):
            return Sifted(NO_REPEATS, fresh)
        return self._sift_each(ids, lane)

    def _sift_each(self, ids: Deduplication, lane: Lane) -> Sifted:
        repeats: dict[int, EarlierEvent | FirstHere] = {}
        fresh: dict[bytes, int] = {}
        for index, digest in enumerate(ids.digests):
            first = self._find(ids.stream_id, digest)
            if first is None and digest in fresh:
                first = FirstHere(lane, fresh[digest])
            if first is None:
                fresh[digest] = lane.event_count + len(fresh)
            else:
                repeats[index] = first
        return Sifted(repeats, fresh)

    def _find(self, stream_id: int, digest: bytes) -> EarlierEvent | FirstHere | None:
        if digest in (earlier := self._earlier.get(stream_id, {})):
            return earlier[digest]
        for lane, positions in self._here.get(stream_id, {}).items():
            if digest in positions:
                return FirstHere(lane, positions[digest])
        return None

    def note(self, stream_id: int, lane: Lane, fresh: Mapping[bytes, int]) -> None:
        """Remember the digests of events that are placed in a lane."""
        self._here.setdefault(stream_id, {}).setdefault(lane, {}).update(fresh)
