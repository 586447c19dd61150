"""The engines beside the installation's own PostgreSQL: by alias, as the settings name them, made when needed.

`EVENTFLOW_ENGINES` gives an alias a module (`ENGINE`) and its `OPTIONS`, as `DATABASES` does. Nothing of a module is
imported unless its alias is configured.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings

from accounts.short_memory import ShortMemory
from streams.conf import ENGINE_HEALTH_SECONDS, POSTGRES
from streams.errors import LogUnavailable
from streams.log.breaker import Breaker
from streams.log.protocol import EVERY_CAPABILITY, Capability, LogHealth, TaggedLog

_GONE = "the settings of this installation do not name it"


class EngineModule(Protocol):
    """What the module that `ENGINE` names has to offer."""

    def find_faults(self, options: Mapping[str, Any]) -> Sequence[str]:
        """Say why options cannot be used, without asking anybody; among it, what has to be installed."""
        ...

    def find_weaknesses(self, options: Mapping[str, Any]) -> Sequence[str]:
        """Say what of the options can be used, and should not."""
        ...

    def ask_for_weaknesses(self, options: Mapping[str, Any]) -> Sequence[str]:
        """Ask the engine itself what of it should be otherwise, within seconds; also that it does not answer."""
        ...

    def make_engine(self, alias: str, options: Mapping[str, Any]) -> TaggedLog:
        """Return the engine; it connects when it is first asked."""
        ...


def module_of(path: str) -> EngineModule:
    """Import an engine's module.

    Raises:
        ImportError: there is none of that name.
    """
    return cast("EngineModule", import_module(path))


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine, and what leaves it alone while it is away."""

    alias: str
    log: TaggedLog
    breaker: Breaker = field(compare=False)


class Engines:
    """The engines of this process.

    Args:
        configured: by alias, `{"ENGINE": …, "OPTIONS": {…}}`.
    """

    def __init__(self, configured: Mapping[str, Mapping[str, Any]]) -> None:
        self._configured = configured
        self._lock = threading.Lock()
        self._made: dict[str, Engine] = {}
        self._healths: ShortMemory[str, LogHealth] = ShortMemory(
            seconds=ENGINE_HEALTH_SECONDS, size=len(configured) or 1
        )

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(self._configured)

    def get(self, alias: str) -> Engine:
        """Return an engine, made at the first call.

        Raises:
            LogUnavailable: there is none of that alias (any more), or it cannot be made.
        """
        engine = self._made.get(alias)
        return engine if engine is not None else self._make(alias)

    def _make(self, alias: str) -> Engine:
        configured = self._configured.get(alias)
        if configured is None:
            raise LogUnavailable(alias, _GONE)
        with self._lock:
            if alias not in self._made:
                options = configured.get("OPTIONS", {})
                try:
                    module = module_of(configured["ENGINE"])
                    log = module.make_engine(alias, options)
                except (ImportError, ValueError) as error:
                    # The checks tell of it at start; here whoever needs it.
                    raise LogUnavailable(alias, "it cannot be made of its settings") from error
                self._made[alias] = Engine(alias, log, Breaker(alias))
            return self._made[alias]

    def capabilities_of(self, alias: str) -> frozenset[Capability]:
        """Return what an engine promises beyond the least; of one that cannot be made: nothing."""
        if alias == POSTGRES:
            return EVERY_CAPABILITY
        try:
            return self.get(alias).log.capabilities
        except LogUnavailable:
            return frozenset()

    def health_of(self, alias: str) -> LogHealth:
        """Return how an engine is, at most a second old: anybody may ask."""
        return self._healths.get(alias, lambda: self._ask_for_health(alias))

    def _ask_for_health(self, alias: str) -> LogHealth:
        try:
            engine = self.get(alias)
        except LogUnavailable as error:
            return LogHealth(is_writable=False, is_durable=False, reason=error.reason)
        if engine.breaker.reason:
            return LogHealth(is_writable=False, is_durable=False, reason=engine.breaker.reason)
        return engine.log.health()

    def close(self) -> None:
        """Let each finish what it accepted."""
        with self._lock:
            made, self._made = self._made, {}
        for engine in made.values():
            engine.log.close()


_engines: Engines | None = None
_make_lock = threading.Lock()


def get_engines() -> Engines:
    """Return the engines of this process."""
    global _engines  # noqa: PLW0603 - one connection to each, for each process
    if _engines is None:
        with _make_lock:
            _engines = _engines or Engines(settings.EVENTFLOW_ENGINES)
    return _engines


def close_engines() -> None:
    """Close the engines; `get_engines` makes new ones, of the settings as they are then."""
    global _engines
    with _make_lock:
        engines, _engines = _engines, None
    if engines is not None:
        engines.close()


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads and must not use its connections."""
    global _engines, _make_lock  # noqa: PLW0603
    _engines = None
    _make_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
