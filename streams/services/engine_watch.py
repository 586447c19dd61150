"""What is wrong with the topics of other engines, looked at by a tick and told by whoever asks how all is."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count

from streams.conf import ENGINE_SIGHTING_LATE_SECONDS, NOT_IN_QUARANTINE
from streams.errors import LogUnavailable
from streams.log import engine_aliases, get_routed_log
from streams.log.protocol import TopicTroubles
from streams.models import EngineSighting, Epoch

logger = logging.getLogger(__name__)


def look_after_engines(*, now: datetime) -> int:
    """Write down what is wrong with the topics of each engine; return how many kinds of trouble there are.

    Of one that is away nothing is written: that it is away is told elsewhere.
    """
    found = 0
    for alias in engine_aliases():
        own = Epoch.objects.filter(engine=alias, quarantine=NOT_IN_QUARANTINE).exclude(topic="")
        topics = dict(own.values_list("topic").annotate(count=Count("partition", distinct=True)).order_by("topic"))
        try:
            troubles = get_routed_log().find_troubles(alias, topics)
        except LogUnavailable as error:
            logger.info("the topics in %s cannot be looked after: %s", alias, error.reason)
            continue
        _log_what_is_new(alias, troubles)
        fields = troubles._asdict() | {"words": list(troubles.words), "seen_at": now}
        del fields["names"]
        EngineSighting.objects.update_or_create(engine=alias, defaults=fields)
        found += len(troubles.words)
    return found


def _log_what_is_new(alias: str, troubles: TopicTroubles) -> None:
    """Name topics, and so streams, where only those read it who run the installation; anybody may ask for the rest."""
    seen = EngineSighting.objects.filter(engine=alias).first()
    known = [] if seen is None else seen.words
    for words, names in zip(troubles.words, troubles.names, strict=True):
        if words not in known:
            logger.warning("engine %s: %s (%s)", alias, words, names)


def list_engine_sightings(*, now: datetime) -> Sequence[EngineSighting]:
    """Return what was seen of each engine lately; with one engine nobody is asked."""
    aliases = engine_aliases()
    if not aliases:
        return []
    lately = now - timedelta(seconds=ENGINE_SIGHTING_LATE_SECONDS)
    return list(EngineSighting.objects.filter(engine__in=aliases, seen_at__gte=lately).order_by("engine"))
