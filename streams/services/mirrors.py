"""Mirrors of a stream: made, paused and deleted. What copies the events is `streams/services/mirroring`."""

import re
from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.services.audit import record
from streams.conf import MAX_MIRRORS, POSTGRES
from streams.errors import InvalidTopic, MirrorExists, MirrorNotFound, MirrorUseless, TooManyMirrors
from streams.log import copying_to, get_log
from streams.lookup import StreamInfo, info_of
from streams.models import Mirror, MirrorPosition, Stream
from streams.queries import list_mirrors
from streams.services.adoption import check_free, hold_topic, is_topic
from streams.services.lifecycle import hold_stream
from streams.services.places import check_engine

# How the topics of streams that lie in an engine end: with the id of a partition and the number of an epoch.
_OF_A_STREAM: Final = re.compile(r".*\.[0-9]+\.[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """What may be said of a mirror when it is made.

    Attributes:
        topic: None: what the engine's topics begin with, and the stream's name.
        from_beginning: of what is kept; else what comes from now on.
        allow_weak: also where one broker could lose what it has stored.
    """

    engine: str
    topic: str | None = None
    from_beginning: bool = True
    allow_weak: bool = False


def topic_for_mirror(*, caller: Caller, stream: Stream, settings: MirrorSettings) -> str | None:
    """Make or check the topic of a new mirror, outside of any transaction; return its name.

    None: no mirror can be made, and `create_mirror` says why. A topic for which no mirror comes stays: it does no harm.

    Raises:
        UnknownEngine, NotOffered, InvalidTopic, MirrorUseless, EngineRefuses, LogUnavailable
        ScopeMissing: an admin has to name such a topic.
    """
    check_engine(settings.engine)
    with copying_to(settings.engine) as engine:
        usual = engine.topic_prefix + stream.name
    topic = usual if settings.topic is None else settings.topic
    _check_name(topic)
    if topic != usual and not caller.is_admin:
        raise ScopeMissing(f"Only an admin may name another topic than {usual}: others' readers may rely on it.")
    _check_that_it_is_useful(info_of(stream))
    check_free(settings.engine, topic)
    if stream.mirrors.filter(is_ending=False).count() >= MAX_MIRRORS or _is_taken(settings.engine, topic):
        return None
    with copying_to(settings.engine) as engine:
        engine.make_topic(topic, stream.partition_count, allow_weak=settings.allow_weak)
    return topic


def _check_name(topic: str) -> None:
    if not is_topic(topic):
        raise InvalidTopic("A topic has 1 to 249 of A-Z a-z 0-9 . _ -, is neither . nor .., and begins with no __.")
    if _OF_A_STREAM.fullmatch(topic):
        raise InvalidTopic("Topics that end with two numbers are kept for streams that lie in the engine.")


def _check_that_it_is_useful(info: StreamInfo) -> None:
    if info.engine == POSTGRES:
        return
    topic = info.partitions[0].epochs[-1].topic
    raise MirrorUseless(f"The events of {info.name} are in {info.engine} already, in the topic {topic}. Read that.")


def _is_taken(engine: str, topic: str) -> bool:
    return Mirror.objects.filter(engine=engine, topic=topic).exists()


@transaction.atomic
def create_mirror(*, stream: Stream, settings: MirrorSettings, topic: str | None) -> Mirror:
    """Copy a stream into a topic from now on.

    Args:
        topic: what `topic_for_mirror` returned.

    Raises:
        StreamNotFound: it was deleted meanwhile.
        TooManyMirrors, MirrorExists, MirrorUseless
        EngineRefuses: the topic is a stream's.
    """
    stream = hold_stream(stream, None)
    if stream.mirrors.filter(is_ending=False).count() >= MAX_MIRRORS:
        raise TooManyMirrors(f"{stream.name} has {MAX_MIRRORS} mirrors.")
    if topic is None:
        raise MirrorExists("Something is copied into that topic already, or was until a moment ago.")
    info = info_of(stream)
    _check_that_it_is_useful(info)
    hold_topic(settings.engine, topic)
    try:
        with transaction.atomic():
            mirror = Mirror.objects.create(stream=stream, engine=settings.engine, topic=topic)
    except IntegrityError as error:
        raise MirrorExists(f"Something is copied into the topic {topic} already.") from error
    bounds = get_log().bounds(info.partitions)
    MirrorPosition.objects.bulk_create(
        MirrorPosition(
            mirror=mirror,
            number=each.number,
            # What is gone already was not lost to the mirror.
            position=bounds[each.id].earliest_offset - 1 if settings.from_beginning else bounds[each.id].head_offset,
        )
        for each in info.partitions
    )
    record(
        AuditAction.MIRROR_CREATED,
        stream=(stream.pk, stream.name),
        target=str(mirror),
        after={"from": "beginning" if settings.from_beginning else "now", "allow_weak": settings.allow_weak},
    )
    return list_mirrors(stream).get(pk=mirror.pk)


@transaction.atomic
def switch_mirror(*, mirror: Mirror, is_paused: bool) -> Mirror:
    """Pause a mirror, or let it go on; its worker notices within a second or two."""
    switched = Mirror.objects.filter(pk=mirror.pk, is_paused=not is_paused, is_ending=False)
    if switched.update(is_paused=is_paused, switched_at=Now()):
        action = AuditAction.MIRROR_PAUSED if is_paused else AuditAction.MIRROR_RESUMED
        record(action, stream=(mirror.stream_id, mirror.stream.name), target=str(mirror))
    return list_mirrors(mirror.stream).get(pk=mirror.pk)


@transaction.atomic
def delete_mirror(*, mirror: Mirror) -> None:
    """Copy nothing more; the topic stays, with what it has.

    While a worker may have something under way the row stays, unseen: nobody else copies into that topic before.

    Raises:
        MirrorNotFound: somebody else was faster.
    """
    held = Mirror.objects.select_for_update().filter(pk=mirror.pk, is_ending=False).first()
    if held is None:
        raise MirrorNotFound
    if held.lease_token is None:
        held.delete()
    else:
        Mirror.objects.filter(pk=held.pk).update(is_ending=True)
    record(AuditAction.MIRROR_DELETED, stream=(mirror.stream_id, mirror.stream.name), target=str(mirror))
