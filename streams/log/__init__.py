"""The log: where events are stored, behind the seam in `protocol.py`.

`get_log()` is the one door: it returns this process's engine, or, where the installation has several, what asks the
right one of them.
"""

import atexit
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from accounts.asked_before import may_be_asked
from streams.conf import POSTGRES
from streams.errors import NotOffered
from streams.log.copying import Lane, LaneEnd, SentSpan, TakesCopies, TopicCopier
from streams.log.distant_threads import in_log_thread
from streams.log.engines import close_engines, get_engines
from streams.log.epochs import locate
from streams.log.offering import LEASING_ADOPTED, TRIMMING_ADOPTED, require
from streams.log.protocol import Bounds, Capability, Log, LogHealth, PartitionRef
from streams.log.sightings import SIGHTINGS, Sighting, raise_earliest, write_sightings
from streams.log.slices import engine_at, refuse_read_only
from streams.log.wakeup import close_wakeups, get_wakeups

if TYPE_CHECKING:
    from streams.log.router import RoutedLog

__all__ = [
    "LEASING_ADOPTED",
    "SIGHTINGS",
    "TRIMMING_ADOPTED",
    "Lane",
    "LaneEnd",
    "Log",
    "SentSpan",
    "Sighting",
    "TakesCopies",
    "TopicCopier",
    "capabilities_of",
    "close_log",
    "copying_to",
    "ends_elsewhere",
    "engine_aliases",
    "engine_at",
    "engine_healths",
    "get_log",
    "get_routed_log",
    "get_wakeups",
    "in_log_thread",
    "last_seen",
    "locate",
    "offers",
    "raise_earliest",
    "refuse_read_only",
    "require_offer",
    "use_log",
    "write_sightings",
]

_make_lock = threading.Lock()
_log: Log | None = None


def get_log() -> Log:
    """Return the log of this process; made at the first call, it connects at the first append."""
    global _log  # noqa: PLW0603 - one for each process is the point
    if _log is None:
        with _make_lock:
            _log = _log or _make()
    return _log


def _make() -> Log:
    # Imported here: they need Django's app registry, which this package does not.
    from streams.log.postgres import PostgresLog

    wakeups = get_wakeups()
    postgres = PostgresLog(wakeups=wakeups)
    engines = get_engines()
    if not engines.aliases:
        # With one engine there is nothing to choose, and nothing to pay for it.
        return postgres
    from streams.log.router import RoutedLog

    return RoutedLog(postgres=postgres, engines=engines, wakeups=wakeups, sightings=SIGHTINGS)


def get_routed_log() -> "RoutedLog":
    """Return the log of an installation that has several engines.

    Raises:
        LookupError: it has one.
    """
    from streams.log.router import RoutedLog

    log = get_log()
    if isinstance(log, RoutedLog):
        return log
    raise LookupError("EVENTFLOW_ENGINES names no engine beside the installation's own")


def engine_aliases() -> tuple[str, ...]:
    """Return the aliases of the engines beside the installation's own; nothing is made or asked."""
    return get_engines().aliases


def capabilities_of(alias: str) -> frozenset[Capability]:
    """Return what an engine promises beyond the least; nothing is asked."""
    return get_engines().capabilities_of(alias)


def offers(partition: PartitionRef, capability: Capability) -> bool:
    """Whether the engine that a partition is appended to promises something; of PostgreSQL nobody need ask."""
    return not partition.epochs or capability in capabilities_of(partition.engine)


def engine_healths() -> Mapping[str, LogHealth]:
    """Return how the engines beside the installation's own are, by alias, each at most a second old."""
    engines = get_engines()
    return {alias: engines.health_of(alias) for alias in engines.aliases}


@contextmanager
def copying_to(alias: str) -> Iterator[TakesCopies]:
    """Lend an engine for one call that makes, or is about, copies of events.

    Raises:
        NotOffered: it takes none.
        LogUnavailable: it failed a moment ago, or fails now.
    """
    engine = get_engines().get(alias) if alias != POSTGRES else None
    if engine is None or not isinstance(engine.log, TakesCopies):
        raise NotOffered(alias, "mirrors")
    with engine.breaker.guard():
        yield engine.log


def require_offer(alias: str, wanted: Capability) -> None:
    """Refuse what an engine does not promise, by its name.

    Raises:
        NotOffered
    """
    require(alias, capabilities_of(alias), wanted)


def last_seen(partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
    """Return the ends of partitions as they were last seen, in one query of PostgreSQL, whichever engine is away.

    For lists and numbers of many streams. Of partitions in PostgreSQL it is how they are.
    """
    log = get_log()
    return log.bounds(partitions) if not engine_aliases() else get_routed_log().last_seen(partitions)


def ends_elsewhere(partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
    """Return the ends of those of the partitions that do not lie in PostgreSQL; with one engine nobody is asked.

    For whoever needs them in a transaction that is about to begin. Inside one of Django's admin no engine is asked:
    what was last seen there has to do.
    """
    elsewhere = [each for each in partitions if each.epochs]
    if not elsewhere or not may_be_asked():
        return {}
    return get_log().bounds(elsewhere)


def close_log() -> None:
    """Finish the appends that were accepted, stop the threads and close their connections.

    The next `get_log` makes a new engine.
    """
    global _log
    with _make_lock:
        log, _log = _log, None
    if log is not None:
        log.close()
    close_engines()
    close_wakeups()


@contextmanager
def use_log(log: Log) -> Iterator[Log]:
    """Make `log` the engine of this process for a while: for tests."""
    global _log  # noqa: PLW0603
    before, _log = _log, log
    try:
        yield log
    finally:
        _log = before


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads and must not use its connections."""
    global _log, _make_lock  # noqa: PLW0603
    _log = None
    _make_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(close_log)
