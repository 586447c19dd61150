"""Streams that show a topic which is there already: others write it, and EventFlow never alters, trims or deletes it.

Its offsets are Kafka's own, plus one. What others wrote is shown as `streams.foreign_record` says.
"""

import re
from typing import Final

from django.db import transaction

from accounts.asked_before import require_outside
from accounts.caller import Caller
from accounts.errors import ScopeMissing
from streams.conf import MAX_PARTITIONS, MAX_TOPIC_CHARACTERS, POSTGRES
from streams.errors import EngineRefuses, NotOffered
from streams.log import TRIMMING_ADOPTED, get_routed_log
from streams.log.protocol import Epoch, PartitionRef
from streams.models import Epoch as EpochRow
from streams.services.places import Place
from streams.statements import run

TOPIC_PATTERN: Final = rf"[A-Za-z0-9._-]{{1,{MAX_TOPIC_CHARACTERS}}}"
_BASE: Final = 1
_topic = re.compile(TOPIC_PATTERN, re.ASCII)


def is_topic(name: str) -> bool:
    """Whether a topic of others may be called so; those that begin with two underscores are Kafka's own."""
    return _topic.fullmatch(name) is not None and name not in {".", ".."} and not name.startswith("__")


def check_may_adopt(caller: Caller) -> None:
    """Refuse whoever is no admin: who adopts a topic opens what others wrote there, whoever they meant it for.

    Raises:
        ScopeMissing
    """
    if not caller.is_admin:
        raise ScopeMissing("Only an admin can adopt a topic: it opens what others wrote there.")


def refuse_what_is_not_adopted(engine: str, *, has_retention: bool) -> None:
    """Refuse to adopt what has no topics, and to trim what is somebody else's.

    Raises:
        NotOffered
    """
    if engine == POSTGRES:
        raise NotOffered(engine, "topics that are there already")
    if has_retention:
        refuse_retention(engine)


def refuse_retention(engine: str) -> None:
    """Refuse limits of retention for what is somebody else's.

    Raises:
        NotOffered
    """
    raise NotOffered(engine, TRIMMING_ADOPTED)


def adopt_place(
    *, engine: str, topic: str, stream_name: str, partitions: int | None, is_read_only: bool, allow_weak: bool
) -> Place:
    """Find the place of a stream in a topic that is there, outside of any transaction; nothing is made.

    Args:
        partitions: as many as somebody expects; None: as many as there are.

    Raises:
        EngineRefuses: there is no such topic, or it is another stream's, or not as it was expected.
        LogUnavailable
    """
    require_outside(engine)
    check_free(engine, topic)
    sight = get_routed_log().adopt(engine, topic, is_read_only=is_read_only, allow_weak=allow_weak)
    if partitions is not None and partitions != sight.partitions:
        raise EngineRefuses(f"The topic {topic} has {sight.partitions} partitions, and {partitions} were asked for.")
    if sight.partitions > MAX_PARTITIONS:
        raise EngineRefuses(
            f"The topic {topic} has {sight.partitions} partitions; a stream has {MAX_PARTITIONS} at most."
        )
    ids = [partition_id for (partition_id,) in run("reserve_partition_ids", count=sight.partitions)]
    epoch = Epoch(1, engine, topic, sight.topic_id, base=_BASE, is_external=True, is_read_only=is_read_only)
    refs = [PartitionRef(partition_id, stream_name, number, (epoch,)) for number, partition_id in enumerate(ids)]
    ends = get_routed_log().bounds_in(engine, refs)
    return Place(engine, ids, dict.fromkeys(ids, epoch), None, ends)


def check_free(engine: str, topic: str) -> None:
    """Refuse a topic that a stream has: its rights would be gone around, and its retention would take from both.

    Raises:
        EngineRefuses
    """
    if engine != POSTGRES and EpochRow.objects.filter(engine=engine, topic=topic).exists():
        raise EngineRefuses(f"The topic {topic} is a stream's already.")


def hold_topic(engine: str, topic: str) -> None:
    """Let nobody else adopt a topic until the end of this transaction; refuse one that is a stream's by now.

    Raises:
        EngineRefuses
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("it is held to the end of a transaction")
    run("hold_topic", name=f"{engine} {topic}")
    check_free(engine, topic)
