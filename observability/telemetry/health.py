"""Is this instance fit to serve, and if not, why."""

import functools
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from kombu.connection import Connection

from accounts.short_memory import ShortMemory
from observability.conf import HEARTBEAT_LATE_SECONDS
from observability.models import Heartbeat
from observability.telemetry.disk import find_disk_standing
from observability.telemetry.heartbeat import TICK
from streams.log import engine_healths, get_log
from streams.services.engine_watch import list_engine_sightings
from streams.services.quarantine import list_quarantined

logger = logging.getLogger(__name__)

BROKER_TIMEOUT_SECONDS = 0.5
# Anybody may ask, and only `degraded` tells of it.
BROKER_MEMORY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was checked: `reasons` keep requests away, `degraded` is what does without."""

    reasons: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return not self.reasons


def check_readiness() -> Readiness:
    """Ask the database whether it can keep the promise of 202, and the broker and beat whether they are there."""
    found = Readiness()
    health = get_log().health()
    if not health.is_writable:
        found.reasons.append(f"database: {health.reason}")
        return found
    if not health.is_durable:
        found.reasons.append(f"database not durable: {health.reason}")
    try:
        if pending := count_pending_migrations():
            them = "1 migration is" if pending == 1 else f"{pending} migrations are"
            found.reasons.append(f"{them} not applied: run `{settings.MANAGE} migrate`")
            return found
        now = timezone.now()
        late = describe_late_tick(now=now)
        disk = find_disk_standing(now=now)
    except DatabaseError as error:
        # What it says may name hosts and users, and anybody may ask.
        logger.warning("the database cannot be asked whether it is ready: %s", error)
        found.reasons.append("database: its migrations and ticks cannot be read; the log of this server says why")
        return found
    found.degraded.extend(describe_engines(now=now))
    if not answers_broker():
        found.degraded.append("broker: does not answer; timers and retention wait until it is back")
    if late:
        found.degraded.append(late)
    if disk and disk.is_low:
        # Another node has the same disk: taking this one away would help nobody.
        found.degraded.append(f"disk: {disk.words}; shorten the retention of large streams, or give it more room")
    return found


def describe_engines(*, now: datetime) -> list[str]:
    """Say which engines beside the database are away or could lose events: their streams alone do without.

    Anybody may ask, so no stream is named, and no topic.
    """
    told = []
    for alias, health in engine_healths().items():
        if not health.is_writable:
            told.append(f"engine {alias}: {health.reason}; its streams answer 503, all others go on")
        elif not health.is_durable:
            told.append(f"engine {alias} not durable: {health.reason}")
    told += [f"engine {each.engine}: {words}" for each in list_engine_sightings(now=now) for words in each.words]
    told += [
        f"engine {alias}: streams in quarantine: {count}; `{settings.MANAGE} release_stream` names them"
        for alias, count in Counter(each.engine for each in list_quarantined()).items()
    ]
    return told


@functools.cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """The migrations that the code has; it does not change while a process lives."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def count_pending_migrations() -> int:
    """Return how many migrations the code has that the database has not."""
    return len(known_migrations().difference(list_applied_migrations()))


def list_applied_migrations() -> Iterable[tuple[str, str]]:
    """Return app and name of each migration that the database has."""
    try:
        # The recorder would look through the catalogue for its table first, each time.
        return list(MigrationRecorder.Migration.objects.values_list("app", "name"))
    except ProgrammingError:
        return MigrationRecorder(connection).applied_migrations()


def describe_late_tick(*, now: datetime) -> str | None:
    """Return what to say when no periodic task has run for too long, or None."""
    ticked_at = next(iter(Heartbeat.objects.filter(pk=TICK).values_list("ticked_at", flat=True)), None)
    if ticked_at is None:
        return "beat: no tick yet; timers, retention and roll-ups begin with the first one"
    age = (now - ticked_at).total_seconds()
    if age <= HEARTBEAT_LATE_SECONDS:
        return None
    return f"beat: no tick for {age:.0f} s; timers, retention and roll-ups stand still"


_broker_answers: ShortMemory[str, bool] = ShortMemory(seconds=BROKER_MEMORY_SECONDS, size=1)


def answers_broker() -> bool:
    """Whether Celery's broker could be reached, less than a second ago; a connection is made for each look."""
    url = settings.CELERY_BROKER_URL
    return _broker_answers.get(url, lambda: can_reach_broker(url))


def can_reach_broker(url: str) -> bool:
    """Whether a broker can be reached, within half a second."""
    options = {"socket_connect_timeout": BROKER_TIMEOUT_SECONDS, "socket_timeout": BROKER_TIMEOUT_SECONDS}
    try:
        with Connection(url, transport_options=options) as broker:  # type: ignore[no-untyped-call]
            broker.ensure_connection(max_retries=0, timeout=BROKER_TIMEOUT_SECONDS)
    except Exception:  # noqa: BLE001 (kombu's transports raise what they like; any of it means no)
        return False
    return True
