"""Looking at the ends of all partitions that lie in other engines, so that their counters follow.

Native clients append beside us, and retention takes from the front. One tick sees both, and wakes who waits.
"""

import logging
from collections.abc import Mapping, Sequence

from streams.errors import LogUnavailable
from streams.log import (
    Sighting,
    engine_aliases,
    get_routed_log,
    get_wakeups,
    last_seen,
    locate,
    write_sightings,
)
from streams.log.protocol import Bounds, PartitionRef
from streams.models import Partition

logger = logging.getLogger(__name__)


def look_at_ends() -> int:
    """Raise the counters of partitions in other engines to what is there; return of how many the head had moved.

    An engine that is away is passed: its counters stay as they were last seen.
    """
    moved = 0
    for alias in engine_aliases():
        rows = Partition.objects.filter(stream__engine=alias).values_list("pk", "stream__name", "number")
        partitions = locate([PartitionRef(*row) for row in rows])
        if not partitions:
            continue
        try:
            found = get_routed_log().bounds(partitions)
        except LogUnavailable as error:
            logger.info("the ends in %s cannot be seen: %s", alias, error.reason)
            continue
        moved += _note(partitions, found)
    return moved


def _note(partitions: Sequence[PartitionRef], found: Mapping[int, Bounds]) -> int:
    known = last_seen(partitions)
    news: dict[int, int] = {}
    sightings = []
    for partition in partitions:
        ends, before = found.get(partition.id), known.get(partition.id)
        if ends is None or before is None:
            continue
        if ends.head_offset < before.head_offset:
            # Whoever was told those offsets would be told them again, for other events.
            logger.error(
                "%s/%d ends at %d in %s, and had events up to %d: its topic was lost or made anew",
                partition.stream,
                partition.number,
                ends.head_offset,
                partition.engine,
                before.head_offset,
            )
            continue
        if ends[:2] == before[:2]:
            continue
        sightings.append(Sighting(partition.id, ends.head_offset, ends.earliest_offset, ends.last_recorded_at))
        if ends.head_offset > before.head_offset:
            news[partition.id] = ends.head_offset
    write_sightings(sightings)
    if news:
        get_wakeups().announce(news)
    return len(news)
