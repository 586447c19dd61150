"""The engines of this installation as pages speak of them: which there are, how they are, and what they do without."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streams.conf import POSTGRES
from streams.log import capabilities_of, engine_aliases, engine_healths
from streams.log.protocol import Capability, LogHealth

WORDS: Final = {
    Capability.DEDUPLICATION: "storing an id once",
    Capability.TIMED: "events for later, or that expire",
    Capability.EXPECTED_HEAD: "If-Head",
    Capability.ATOMIC_APPEND: "all or nothing over several partitions",
    Capability.PLACE_AMONG: "more partitions later",
    Capability.ERASE: "erasing a payload",
}


@dataclass(frozen=True, slots=True)
class EngineView:
    """An engine, by its alias.

    Attributes:
        lacks: what pages offer elsewhere and not there, by the names of the API's capabilities.
        missing: the same in words.
        is_own: it is the installation's PostgreSQL.
    """

    alias: str
    lacks: Sequence[str] = ()
    missing: Sequence[str] = ()

    @property
    def is_own(self) -> bool:
        return self.alias == POSTGRES


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine that a new stream may lie in.

    Attributes:
        away: why it can take nothing now; empty: it can.
        weakness: how it could lose what it has stored; empty: it keeps it.
    """

    engine: EngineView
    away: str = ""
    weakness: str = ""


def view_engine(alias: str) -> EngineView:
    """Return what pages say of an engine; nobody is asked."""
    missing = [each for each in WORDS if each not in capabilities_of(alias)]
    return EngineView(alias, [each.value for each in missing], [WORDS[each] for each in missing])


def why_away(alias: str) -> str:
    """Return why an engine cannot be asked now, at most a second old; empty: it can, as far as anybody knows."""
    if alias == POSTGRES:
        return ""
    health = engine_healths().get(alias)
    return "" if health is None or health.is_writable else health.reason


def list_away() -> list[str]:
    """Return the engines that cannot be asked now."""
    return [alias for alias in engine_aliases() if why_away(alias)]


def list_engine_choices() -> list[EngineChoice]:
    """Return the engines that a new stream may lie in; none where there is nothing to choose."""
    healths = engine_healths() if engine_aliases() else {}
    if not healths:
        return []
    return [EngineChoice(view_engine(POSTGRES)), *(_choice(alias, health) for alias, health in healths.items())]


def _choice(alias: str, health: LogHealth) -> EngineChoice:
    return EngineChoice(
        view_engine(alias),
        away="" if health.is_writable else health.reason,
        weakness=health.reason if health.is_writable and not health.is_durable else "",
    )
