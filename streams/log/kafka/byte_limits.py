"""How many bytes topics keep: Kafka deletes by them itself, so each is told when that changes."""

import logging
from collections.abc import Mapping

from streams.errors import EngineRefuses
from streams.log.kafka.topics import Topics, settings_for_bytes

logger = logging.getLogger(__name__)


class ByteLimits:
    """One for each process; the same thread tells them again and again. Topics are asked once, and told of changes."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._told: dict[str, int | None] = {}

    def tell(self, topics: Mapping[str, int | None]) -> int:
        """Let topics keep so many bytes of each partition (None: all); return how many were changed.

        Raises:
            KafkaSilent
        """
        new = [name for name, limit in topics.items() if self._told.get(name, -1) != limit]
        changed = 0
        for name, found in self._topics.settings_of(new).items():
            wanted = settings_for_bytes(topics[name])
            if found.get("retention.bytes") != wanted["retention.bytes"]:
                changed += self._alter(name, wanted)
            self._told[name] = topics[name]
        return changed

    def _alter(self, name: str, wanted: Mapping[str, str]) -> bool:
        try:
            self._topics.alter(name, wanted)
        except EngineRefuses as error:
            logger.warning("the topic %s keeps another number of bytes than its stream should: %s", name, error.detail)
            return False
        return True
