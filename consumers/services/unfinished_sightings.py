"""Looking when groups' first unfinished events were recorded that lie in other engines, for those who ask none."""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from django.db.models import F, OuterRef, Subquery

from consumers.conf import MAX_UNFINISHED_LOOKED_AT
from consumers.models import GroupOffset, UnfinishedSighting
from streams.conf import POSTGRES
from streams.errors import LogUnavailable
from streams.log import engine_aliases, engine_at, get_routed_log, locate
from streams.log.protocol import PartitionRef
from streams.services.topics_there import ask_of_those_there

logger = logging.getLogger(__name__)
_NOWHERE: Final = -1


class _Position(NamedTuple):
    """After which offset a group goes on in a partition."""

    group_id: int
    partition: PartitionRef
    after: int


def look_at_unfinished(*, now: datetime) -> int:
    """Write down when the first unfinished events were recorded; return of how many that could be seen.

    Of very many those that nobody has looked at for longest come first. An engine that is away is passed.
    """
    if not engine_aliases():
        return 0
    by_engine: dict[str, list[_Position]] = defaultdict(list)
    for position in _list_positions():
        by_engine[engine_at(position.partition, position.after + 1)].append(position)
    # PostgreSQL is asked itself. That they were looked at is written down all the same: else they came first for ever.
    here = by_engine.pop(POSTGRES, [])
    _write(here, [None] * len(here), now)
    seen = 0
    for alias, positions in by_engine.items():
        try:
            seen += ask_of_those_there(alias, [each.partition for each in positions], partial(_look, positions, now))
        except LogUnavailable as error:
            logger.info("what is unfinished in %s cannot be seen: %s", alias, error.reason)
            _note_look(positions, now)
    return seen


def _look(positions: Sequence[_Position], now: datetime, partitions: Collection[PartitionRef]) -> int:
    """Look at those positions that are in these partitions; return how many they are."""
    ids = {each.id for each in partitions}
    asked = [each for each in positions if each.partition.id in ids]
    moments = get_routed_log().recorded_after([(each.partition, each.after) for each in asked])
    _write(asked, moments, now)
    _note_look([each for each in positions if each.partition.id not in ids], now)
    return len(asked)


def _list_positions() -> list[_Position]:
    own = UnfinishedSighting.objects.filter(group_id=OuterRef("group_id"), partition_id=OuterRef("partition_id"))
    behind = (
        GroupOffset.objects.filter(partition__stream__has_epochs=True, partition__head_offset__gt=F("committed_offset"))
        .annotate(looked_at=Subquery(own.values("looked_at")))
        .order_by(F("looked_at").asc(nulls_first=True), "pk")
    )
    columns = ("group_id", "committed_offset", "partition_id", "partition__stream__name", "partition__number")
    rows = list(behind.values_list(*columns)[:MAX_UNFINISHED_LOOKED_AT])
    located = locate([PartitionRef(*row[2:]) for row in rows])
    return [_Position(row[0], partition, row[1]) for row, partition in zip(rows, located, strict=True)]


def _write(positions: Sequence[_Position], moments: Sequence[datetime | None], now: datetime) -> None:
    UnfinishedSighting.objects.bulk_create(
        [
            UnfinishedSighting(
                group_id=each.group_id,
                partition_id=each.partition.id,
                committed_offset=each.after,
                recorded_at=moment,
                seen_at=now,
                looked_at=now,
            )
            for each, moment in zip(positions, moments, strict=True)
        ],
        update_conflicts=True,
        unique_fields=["group", "partition"],
        update_fields=["committed_offset", "recorded_at", "seen_at", "looked_at"],
    )


def _note_look(positions: Sequence[_Position], now: datetime) -> None:
    """Write down that somebody looked in vain, so that those of an engine that is away do not come first for ever.

    What was seen before stays. Of what nobody has seen the row says nothing: no group stands at that offset.
    """
    UnfinishedSighting.objects.bulk_create(
        [
            UnfinishedSighting(
                group_id=each.group_id,
                partition_id=each.partition.id,
                committed_offset=_NOWHERE,
                seen_at=now,
                looked_at=now,
            )
            for each in positions
        ],
        update_conflicts=True,
        unique_fields=["group", "partition"],
        update_fields=["looked_at"],
    )
