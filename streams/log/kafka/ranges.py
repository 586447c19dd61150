"""Where an append's events are, once all of them are stored."""

from collections.abc import Iterable, Mapping, Sequence

from streams.log.kafka.moments import moment_of_millisecond
from streams.log.kafka.places import Place
from streams.log.kafka.sent import SentRecords, Stored
from streams.log.protocol import AppendedRange, PartitionAppend, Run


def stored_in_order(count: int, sent: SentRecords, found: Mapping[int, Stored]) -> list[Stored]:
    """Return where each of an append's records is: those that an earlier try stored, and those that were sent now."""
    now = sent.in_order()
    return [found[index] if index in found else next(now) for index in range(count)]


def range_of(append: PartitionAppend, place: Place, stored: Sequence[Stored]) -> AppendedRange:
    """Return an append's offsets as runs: a new one wherever others' events, or another moment, come between.

    They ascend, unless an earlier try has stored a later record and not an earlier one.
    """
    runs: list[Run] = []
    first = last = stored[0]
    for each in stored[1:]:
        if each.offset != last.offset + 1 or each.milliseconds != last.milliseconds:
            runs.append(_run(place, first, last))
            first = each
        last = each
    return AppendedRange(append.partition, [*runs, _run(place, first, last)])


def _run(place: Place, first: Stored, last: Stored) -> Run:
    return Run(first.offset + place.base, last.offset + place.base, moment_of_millisecond(first.milliseconds))


def heads_of(ranges: Iterable[AppendedRange]) -> Mapping[int, int]:
    """Return the highest offset in each partition."""
    heads: dict[int, int] = {}
    for each in ranges:
        last = max(run.last_offset for run in each.runs)
        heads[each.partition.id] = max(heads.get(each.partition.id, 0), last)
    return heads
