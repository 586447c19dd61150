"""Closing a topic for good: it refuses every record, and where it ends is proven.

Nobody can keep other processes from sending to it, so the brokers do: with a limit on messages that none is below, a
leader refuses whatever comes, and has stored nothing of it. A record that is sent to find out (a probe) and comes too
early is stored, as an event of a type of its own.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from uuid_utils.compat import uuid7

from streams.conf import FENCE_SETTLE_SECONDS
from streams.log.kafka.client_settings import MAX_MESSAGE_BYTES
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.looking import Looker
from streams.log.kafka.places import Place
from streams.log.kafka.sending import Sender
from streams.log.kafka.topics import Topics
from streams.log.protocol import PartitionAppend, PartitionRef

logger = logging.getLogger(__name__)

Placed = Sequence[tuple[PartitionRef, Place]]

FENCE_TYPE: Final = "eventflow.fence"
_NOTHING_BYTES: Final = 1
# The leaders hear of the new limit sooner; a probe that comes before is an event that nobody wanted.
_SPREAD_SECONDS: Final = 0.15
_PAUSE_SECONDS: Final = 0.05
# A leader that dies meanwhile is followed by another one within this time.
_PATIENCE_SECONDS: Final = 20.0


class Fence:
    """Closes and opens topics; from any thread, and never on the way of an append."""

    def __init__(self, topics: Topics, sender: Sender, looker: Looker) -> None:
        self._topics = topics
        self._sender = sender
        self._looker = looker

    def close(self, placed: Placed) -> Mapping[int, int]:
        """Close the topic of partitions, all of its own; return the last offset of each, by id.

        What leaders had taken before has come to all replicas in sync, or its sender has waited for longer than
        `FENCE_SETTLE_SECONDS` and looks again.

        Raises:
            EngineRefuses, KafkaSilent
        """
        [topic] = {place.topic for _, place in placed}
        self._topics.limit_messages(topic, _NOTHING_BYTES)
        time.sleep(_SPREAD_SECONDS)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        places = [place for _, place in placed]
        self.probe_until_refused(placed, deadline)
        while True:
            time.sleep(FENCE_SETTLE_SECONDS)
            ends = self._looker.ends(places)
            # Another leader may have followed: it has to refuse as well, and must have got nothing meanwhile.
            self.probe_until_refused(placed, deadline)
            if [each.high for each in self._looker.ends(places)] == [each.high for each in ends]:
                break
        return {partition.id: end.high - 1 + place.base for (partition, place), end in zip(placed, ends, strict=True)}

    def probe_until_refused(self, placed: Placed, deadline: float) -> None:
        """Return once the leader of every partition has refused a record.

        Raises:
            KafkaSilent: they do not, until the deadline.
        """
        while not self._sender.probe([(PartitionAppend(each, [_probe()]), place) for each, place in placed]):
            if time.monotonic() > deadline:
                raise KafkaSilent(f"the topic {placed[0][1].topic} still takes events, or its leaders do not answer")
            time.sleep(_PAUSE_SECONDS)

    def lift(self, topic: str) -> None:
        """Let a topic take events again.

        Raises:
            EngineRefuses, KafkaSilent
        """
        self._topics.limit_messages(topic, MAX_MESSAGE_BYTES)

    def try_out(self, topic: str) -> None:
        """Return if we may close a topic; nothing is changed.

        Raises:
            EngineRefuses, KafkaSilent
        """
        self._topics.limit_messages(topic, _NOTHING_BYTES, is_trial=True)


def _probe() -> bytes:
    return msgspec.json.encode(
        {
            "id": str(uuid7()),
            "type": FENCE_TYPE,
            "key": None,
            "occurred_at": None,
            "headers": {},
            "payload": None,
        }
    )
