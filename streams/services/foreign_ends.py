"""Looking at the ends of all partitions that lie in other engines, so that their counters follow.

Native clients append beside us, and retention takes from the front. One tick sees both, and wakes who waits. A
partition that ends below where it ended before is put into quarantine.
"""

import logging
from collections.abc import Mapping, Sequence

from streams.conf import POSTGRES
from streams.errors import LogUnavailable
from streams.log import (
    Sighting,
    engine_aliases,
    get_routed_log,
    get_wakeups,
    last_seen,
    locate,
    raise_earliest,
    write_sightings,
)
from streams.log.protocol import Bounds, PartitionRef
from streams.models import Partition
from streams.services.quarantine import are_in_quarantine, check_lost_ends
from streams.services.topics_there import ask_of_those_there

logger = logging.getLogger(__name__)


def look_at_ends() -> int:
    """Raise the counters of partitions in other engines to what is there; return of how many the head had moved.

    An engine that is away is passed: its counters stay as they were last seen. So do those of a topic that is gone.
    """
    moved = 0
    for alias in engine_aliases():
        # Also those that are appended to elsewhere by now: what they keep here, retention takes.
        rows = Partition.objects.filter(stream__has_epochs=True, epochs__engine=alias).distinct()
        located = locate([PartitionRef(*row) for row in rows.values_list("pk", "stream__name", "number")])
        partitions = [each for each in located if not are_in_quarantine(each)]
        if not partitions:
            continue
        # Before the engine is asked: what is appended in between must not look as if it had been lost.
        known = last_seen(partitions)
        try:
            found = ask_of_those_there(alias, partitions, get_routed_log().bounds)
            # A move that came in between is no loss.
            now = {each.id: each.epochs for each in locate(partitions)}
            partitions = [each for each in partitions if now[each.id] == each.epochs]
            lost = [each for each in partitions if _has_lost(found.get(each.id), known.get(each.id))]
            check_lost_ends(alias, lost, {key: ends.head_offset for key, ends in known.items()})
        except LogUnavailable as error:
            logger.info("the ends in %s cannot be seen: %s", alias, error.reason)
            continue
        moved += _note([each for each in partitions if each not in lost], found, known)
    return moved


def _has_lost(found: Bounds | None, known: Bounds | None) -> bool:
    return found is not None and known is not None and found.head_offset < known.head_offset


def _note(partitions: Sequence[PartitionRef], found: Mapping[int, Bounds], known: Mapping[int, Bounds]) -> int:
    here = [each for each in partitions if each.engine == POSTGRES]
    raise_earliest({each.id: found[each.id].earliest_offset for each in here if each.id in found})
    partitions = [each for each in partitions if each.engine != POSTGRES]
    news: dict[int, int] = {}
    sightings = []
    for partition in partitions:
        ends, before = found.get(partition.id), known.get(partition.id)
        if ends is None or before is None:
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
