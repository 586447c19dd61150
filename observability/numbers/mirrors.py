"""What Prometheus is told of mirrors: how far each is, and what went wrong."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from observability.numbers.holdings import Holding
from observability.telemetry.exposition import Family
from streams.log import engine_aliases
from streams.log.protocol import Bounds
from streams.mirror_standings import MirrorStanding, MirrorState, standing_of
from streams.queries import list_all_mirrors


def list_mirror_standings(holdings: Mapping[int, Holding], *, now: datetime) -> list[MirrorStanding]:
    """Return how all mirrors stand; where no engine could have any, nobody is asked.

    Args:
        holdings: of all streams, by id.
    """
    if not engine_aliases():
        return []
    return [
        standing_of(mirror, _bounds_in(holdings[mirror.stream_id]), now=now)
        for mirror in list_all_mirrors()
        if mirror.stream_id in holdings
    ]


def mirror_standings_in(holding: Holding, *, now: datetime) -> list[MirrorStanding]:
    """Return how one stream's mirrors stand, in the same way."""
    if not engine_aliases():
        return []
    mirrors = list_all_mirrors().filter(stream_id=holding.stream_id)
    return [standing_of(mirror, _bounds_in(holding), now=now) for mirror in mirrors]


def _bounds_in(holding: Holding) -> dict[int, Bounds]:
    return {lane.ref.number: lane.bounds for lane in holding.lanes.values()}


def mirror_families(mirrors: Sequence[MirrorStanding]) -> list[Family]:
    """How far each mirror is, and what went wrong with it; its partitions together."""
    lag = Family("eventflow_mirror_lag_events", "gauge", "Events that are kept and not copied into the topic yet.")
    failing = Family("eventflow_mirror_failing", "gauge", "Whether a mirror cannot go on at this moment: 1 or 0.")
    failures = Family("eventflow_mirror_failures_total", "counter", "How often a mirror could not go on.")
    copied = Family("eventflow_mirror_copied_events_total", "counter", "Events that were copied into the topic.")
    lost = Family(
        "eventflow_mirror_lost_events_total", "counter", "Events that retention took before they were copied."
    )
    doubled = Family(
        "eventflow_mirror_doubled_events_total", "counter", "Copies found beside another one of the same event."
    )
    for each in mirrors:
        labels = f'{{stream="{each.mirror.stream.name}",topic="{each.mirror.topic}"}}'
        lag.add(each.lag, labels)
        failing.add(int(each.state == MirrorState.FAILING), labels)
        failures.add(each.mirror.failure_count, labels)
        copied.add(each.copied, labels)
        lost.add(each.lost, labels)
        doubled.add(each.doubled, labels)
    return [lag, failing, failures, copied, lost, doubled]
