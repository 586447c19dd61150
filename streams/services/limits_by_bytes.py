"""Limits by bytes of streams in other engines, which keep them themselves: told to their topics when they change."""

import logging

from streams.conf import NOT_IN_QUARANTINE
from streams.errors import LogUnavailable
from streams.log import engine_aliases, get_routed_log
from streams.models import Epoch

logger = logging.getLogger(__name__)


def tell_limits_by_bytes() -> int:
    """Let the topics of all streams keep as many bytes as their retention says now; return how many were changed.

    An engine that is away is passed: the next tick comes back to it.
    """
    changed = 0
    for alias in engine_aliases():
        own = Epoch.objects.filter(engine=alias, quarantine=NOT_IN_QUARANTINE, is_external=False).exclude(topic="")
        rows = own.values_list("topic", "partition__stream__retention_max_bytes", "partition__stream__partition_count")
        shares = {topic: _share(max_bytes, count) for topic, max_bytes, count in rows.distinct().order_by("topic")}
        try:
            changed += get_routed_log().limit_bytes(alias, shares) if shares else 0
        except LogUnavailable as error:
            logger.info("limits by bytes cannot be told in %s: %s", alias, error.reason)
    return changed


def _share(max_bytes: int | None, partitions: int) -> int | None:
    return max(1, max_bytes // partitions) if max_bytes else None
