"""Looking after the topics that are in use: who of their replicas is in sync, and what could lose events."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.log.kafka.topics import Topics
from streams.log.protocol import TopicTroubles

_AT_ONCE: Final = 200
# What topics are set to changes seldom.
_REMEMBERED_SECONDS: Final = 60.0
_NAMED: Final = 3
_MINIMUM: Final = "min.insync.replicas"
_UNCLEAN: Final = "unclean.leader.election.enable"
_NONE: Final[tuple[float, Mapping[str, str]]] = (-_REMEMBERED_SECONDS, {})


class _Lane(NamedTuple):
    """A partition of a topic, by the numbers of its replicas."""

    name: str
    replicas: int
    in_sync: int
    is_led: bool
    minimum: int


class TopicWatch:
    """One for each process; the same thread asks again and again."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._settings: dict[str, tuple[float, Mapping[str, str]]] = {}

    def find_troubles(self, topics: Mapping[str, int]) -> TopicTroubles:
        """Say what is wrong with topics (and how many partitions each has to have).

        Raises:
            KafkaSilent
        """
        lanes: list[_Lane] = []
        missing: list[str] = []
        grown: list[str] = []
        unclean: list[str] = []
        known = {name: each for name, each in self._topics.metadata().items() if name in topics and each.error is None}
        missing += sorted(topics.keys() - known.keys())
        settings = self._settings_of(sorted(known))
        for name, topic in sorted(known.items()):
            own = settings.get(name, {})
            if own.get(_UNCLEAN) == "true":
                unclean.append(name)
            if len(topic.partitions) != topics[name]:
                grown.append(name)
            lanes += _lanes_of(name, topic, int(own.get(_MINIMUM, 1)))
        return judge(lanes, missing=missing, grown=grown, unclean=unclean)

    def _settings_of(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        now = time.monotonic()
        asked = [name for name in names if now - self._settings.get(name, _NONE)[0] > _REMEMBERED_SECONDS]
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            found = self._topics.settings_of(some)
            # Who does not say now has perhaps said before.
            self._settings |= {name: (now, found.get(name) or self._settings.get(name, _NONE)[1]) for name in some}
        return {name: self._settings[name][1] for name in names}


def _lanes_of(name: str, topic: Any, minimum: int) -> Iterable[_Lane]:
    for number, each in sorted(topic.partitions.items()):
        yield _Lane(f"{name}/{number}", len(each.replicas), len(each.isrs), each.leader >= 0, minimum)


def judge(
    lanes: Sequence[_Lane], *, missing: Sequence[str], grown: Sequence[str], unclean: Sequence[str]
) -> TopicTroubles:
    """Say what is wrong with partitions and topics, the worst first."""
    leaderless = [each.name for each in lanes if not each.is_led]
    below = [each.name for each in lanes if each.is_led and each.in_sync < each.minimum]
    under = [each.name for each in lanes if each.in_sync < each.replicas]
    troubles = [
        (told, _some_of(names))
        for names, told in (
            (missing, "topics are not there, and their streams answer 503"),
            (leaderless, f"{len(leaderless)} partitions are led by nobody: nothing is read there or stored"),
            (
                below,
                f"{len(below)} partitions have fewer replicas in sync than have to store an append: none is answered",
            ),
            (under, f"{len(under)} partitions have fewer replicas in sync than they should have"),
            (unclean, "unclean.leader.election.enable is on: events that were answered 202 may be lost"),
            (grown, "topics have another number of partitions than their streams: what lies in the others is not seen"),
        )
        if names
    ]
    words, named = tuple(told for told, _ in troubles), tuple(names for _, names in troubles)
    return TopicTroubles(len(under), len(below), len(leaderless), words, named)


def _some_of(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
