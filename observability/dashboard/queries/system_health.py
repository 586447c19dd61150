"""How the parts of this installation are, in words for the overview; looked at again every few seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.short_memory import ShortMemory
from observability.conf import HEARTBEAT_INTERVAL_SECONDS, HEARTBEAT_LATE_SECONDS
from observability.models import Heartbeat
from observability.telemetry.disk import DiskStanding, find_disk_standing
from observability.telemetry.health import answers_broker
from observability.telemetry.heartbeat import TICK
from streams.log import engine_healths, get_log
from streams.services.engine_watch import list_engine_sightings

REMEMBERED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the installation; level is good, warn or bad."""

    name: str
    level: str
    note: str


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """All parts; `disk` is None where nobody knows how full it is."""

    parts: Sequence[Part]
    disk: DiskStanding | None

    @property
    def is_well(self) -> bool:
        return all(part.level == "good" for part in self.parts)


_memory: ShortMemory[None, SystemHealth] = ShortMemory(seconds=REMEMBERED_SECONDS, size=1)


def get_system_health(*, now: datetime) -> SystemHealth:
    """Return how everything is, at most a few seconds old: many people may look at once."""
    return _memory.get(None, lambda: _look(now))


def forget_system_health() -> None:
    """Drop what this process remembers."""
    _memory.forget()


def _look(now: datetime) -> SystemHealth:
    has_broker = answers_broker()
    web, broker = Part("Web", "good", "answers"), Part("Broker", "good", "answers")
    if not has_broker:
        broker = Part("Broker", "warn", "does not answer; events flow on")
    database, disk = _database(), find_disk_standing(now=now)
    return SystemHealth(
        [web, database, *_engines(now), *_disk(disk), broker, *_timers(now, has_broker=has_broker)], disk
    )


def _database() -> Part:
    health = get_log().health()
    if not health.is_writable:
        return Part("Database", "bad", health.reason or "cannot be written to")
    if not health.is_durable:
        return Part("Database", "bad", health.reason or "does not keep what it confirms")
    return Part("Database", "good", "writable and durable")


def _engines(now: datetime) -> list[Part]:
    """The engines beside the database, each by its alias: one that is away concerns its own streams."""
    troubles = {each.engine: each.words[0] for each in list_engine_sightings(now=now) if each.words}
    return [
        Part(f"Engine {alias}", "warn", troubles[alias])
        if health.is_writable and alias in troubles
        else Part(f"Engine {alias}", "good", "writable and durable")
        if health.is_writable and health.is_durable
        else Part(f"Engine {alias}", "warn", health.reason)
        for alias, health in engine_healths().items()
    ]


def _disk(disk: DiskStanding | None) -> list[Part]:
    return [Part("Disk", "warn" if disk.is_low else "good", disk.words)] if disk else []


def _timers(now: datetime, *, has_broker: bool) -> list[Part]:
    """Worker and beat: a tick goes from beat through the broker to a worker and into the database."""
    ticked_at = Heartbeat.objects.filter(name=TICK).values_list("ticked_at", flat=True).first()
    age = (now - ticked_at).total_seconds() if ticked_at else None
    if age is not None and age <= HEARTBEAT_INTERVAL_SECONDS * 2.5:
        return [Part("Worker", "good", "works"), Part("Beat", "good", "ticks")]
    when = "no tick yet" if age is None else f"no tick for {age:.0f} s"
    if not has_broker:
        return [Part("Worker", "warn", f"{when}: waits for the broker"), Part("Beat", "warn", "waits for the broker")]
    level = "bad" if age is None or age > HEARTBEAT_LATE_SECONDS else "warn"
    return [Part("Worker", level, when), Part("Beat", level, "one of the two stands still")]
