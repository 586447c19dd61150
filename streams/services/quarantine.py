"""Places in other engines that are not what they were: nothing is read there or appended to until somebody has looked.

A topic that was deleted and made anew under its name, or that lost its newest events, would give offsets out again
that somebody was told already. What is found is written into the epochs, where every worker sees it within a second.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from streams.conf import LOOKED_AT_TOPICS, MAX_QUARANTINE_CHARACTERS, NOT_IN_QUARANTINE, POSTGRES
from streams.errors import LogUnavailable
from streams.log import engine_aliases, get_routed_log
from streams.log.protocol import PartitionRef
from streams.lookup import forget_streams
from streams.models import Epoch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A stream of which nothing is read and nothing stored in an engine, and why."""

    engine: str
    stream: str
    reason: str


def list_quarantined() -> list[Quarantined]:
    """Return the streams in quarantine, in one query; with one engine nobody is asked."""
    if not engine_aliases():
        return []
    rows = Epoch.objects.exclude(quarantine=NOT_IN_QUARANTINE)
    found = rows.values_list("engine", "partition__stream__name", "quarantine").distinct()
    return [Quarantined(*row) for row in found.order_by("engine", "partition__stream__name")]


def look_at_topics(*, now: datetime) -> int:
    """Compare the topics of all streams in other engines with those that were noted; return how many are others now.

    Of an engine with very many topics some are looked at, in turns that the time gives.
    """
    found = 0
    for alias in engine_aliases():
        own = Epoch.objects.filter(engine=alias, quarantine=NOT_IN_QUARANTINE).exclude(topic_id="")
        noted: dict[str, str] = dict(own.values_list("topic", "topic_id").order_by("topic").distinct())
        turn = _turn(sorted(noted), now)
        try:
            sights = get_routed_log().look_at_topics(alias, turn) if turn else {}
        except LogUnavailable as error:
            logger.info("the topics in %s cannot be seen: %s", alias, error.reason)
            continue
        for topic, sight in sights.items():
            if sight.topic_id != noted[topic]:
                put_in_quarantine(alias, topic, "its topic was deleted, and made anew under the same name")
                found += 1
    return found


def _turn(topics: Sequence[str], now: datetime) -> Sequence[str]:
    turns = -(-len(topics) // LOOKED_AT_TOPICS) or 1
    start = int(now.timestamp()) % turns * LOOKED_AT_TOPICS
    return topics[start : start + LOOKED_AT_TOPICS]


def check_lost_ends(alias: str, partitions: Iterable[PartitionRef], heads: Mapping[int, int]) -> None:
    """Put into quarantine those of the partitions that end below a head that they had, whoever can read that far.

    Args:
        heads: by partition id, as they were last seen before.
    """
    for partition in partitions:
        head = get_routed_log().stored_heads(alias, [partition])[partition.id]
        if head < heads[partition.id]:
            reason = f"partition {partition.number} ends at {head}, and had events up to {heads[partition.id]}"
            put_in_quarantine(alias, partition.epochs[-1].topic, reason)


def put_in_quarantine(alias: str, topic: str, reason: str) -> None:
    """Let nothing be read or appended where a topic is, of whichever stream has it; once for each topic."""
    own = Epoch.objects.filter(engine=alias, topic=topic, quarantine=NOT_IN_QUARANTINE)
    with transaction.atomic():
        streams = dict(own.values_list("partition__stream_id", "partition__stream__name").distinct())
        if not own.update(quarantine=reason[:MAX_QUARANTINE_CHARACTERS]):
            return
        for stream in streams.items():
            record(AuditAction.STREAM_QUARANTINED, stream=stream, after={"engine": alias, "reason": reason})
    forget_streams()
    for name in streams.values():
        logger.error("%s is in quarantine in %s: %s; see `release_stream %s`", name, alias, reason, name)


def are_in_quarantine(partition: PartitionRef) -> bool:
    """Whether nothing of a partition is read or appended somewhere beside PostgreSQL."""
    return any(epoch.quarantine and epoch.engine != POSTGRES for epoch in partition.epochs)
