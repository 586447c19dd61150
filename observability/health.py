"""Is this instance fit to serve, and if not, why."""

from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.connection import Connection

from streams.log import get_log


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was checked: `reasons` keep requests away, `degraded` is what does without."""

    reasons: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return not self.reasons


def check_readiness() -> Readiness:
    """Ask the database whether it can keep the promise of 202, and the broker whether it is there."""
    found = Readiness()
    health = get_log().health()
    if not health.is_writable:
        found.reasons.append(f"database: {health.reason}")
        return found
    if not health.is_durable:
        found.reasons.append(f"database not durable: {health.reason}")
    if pending := count_pending_migrations():
        found.reasons.append(f"{pending} migrations are not applied: run `manage.py migrate`")
    if not answers_broker():
        found.degraded.append("broker: does not answer; timers and retention wait until it is back")
    return found


def count_pending_migrations() -> int:
    """Return how many migrations the code has that the database has not."""
    try:
        executor = MigrationExecutor(connection)
        return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError:
        return 0


def answers_broker() -> bool:
    """Whether Celery's broker can be reached, within half a second."""
    options = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    try:
        with Connection(settings.CELERY_BROKER_URL, transport_options=options) as broker:  # type: ignore[no-untyped-call]
            broker.ensure_connection(max_retries=0, timeout=0.5)
    except Exception:  # noqa: BLE001 (kombu's transports raise what they like; any of it means no)
        return False
    return True
