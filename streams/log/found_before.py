"""What an append has stored in several goes, put together. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from streams.log.protocol import AppendedRange, Found, PartitionAppend, Run


def count_places(appends: Sequence[PartitionAppend]) -> list[range]:
    """Return for each append which places its events have in the request."""
    places, start = [], 0
    for append in appends:
        places.append(range(start, start + len(append.records)))
        start += len(append.records)
    return places


class Left(NamedTuple):
    """What is left to store of an append, and which places its events have in the request."""

    append: PartitionAppend
    places: Sequence[int]


def without(appends: Sequence[PartitionAppend], found: Mapping[int, Found]) -> list[Left]:
    """Return what is left of appends of which some events are there already."""
    left = []
    for append, own in zip(appends, count_places(appends), strict=True):
        missing = [place for place in own if place not in found]
        if len(missing) == len(own):
            left.append(Left(append, own))
        elif missing:
            records, at = list(append.records), own.start
            keys = [append.keys[each - at] for each in missing] if append.keys else ()
            left.append(Left(append._replace(records=[records[each - at] for each in missing], keys=keys), missing))
    return left


def places_of(left: Sequence[Left]) -> list[int]:
    return [place for each in left for place in each.places]


def events_of(ranges: Sequence[AppendedRange]) -> Iterator[Found]:
    """Yield where the events are that were stored, range after range."""
    for each in ranges:
        for run in each.runs:
            for offset in range(run.first_offset, run.last_offset + 1):
                yield Found(offset, run.recorded_at)


def put_together(
    appends: Sequence[PartitionAppend], found: Mapping[int, Found], ranges: Sequence[AppendedRange]
) -> list[AppendedRange]:
    """Return where the events of appends are, of which some were found and the others stored now, in their order."""
    if not found:
        return list(ranges)
    stored = events_of(ranges)
    together = []
    for append, own in zip(appends, count_places(appends), strict=True):
        events = [found[place] if place in found else next(stored) for place in own]
        together.append(AppendedRange(append.partition, _runs(events)))
    return together


def _runs(events: Sequence[Found]) -> list[Run]:
    runs: list[Run] = []
    for each in events:
        if runs and runs[-1].last_offset + 1 == each.offset and runs[-1].recorded_at == each.recorded_at:
            runs[-1] = runs[-1]._replace(last_offset=each.offset)
        else:
            runs.append(Run(each.offset, each.offset, each.recorded_at))
    return runs
