"""Where partitions end for good: what their leaders hold, once all of that can be seen.

Readers are shown what has come to all replicas in sync. What only the leader has is there all the same, and may be seen
a moment later: whoever looks for what an earlier try has stored, to store the rest, must know that nothing comes after.

Kafka tells a leader's own end to a client that asks whether its position was cut off (OffsetForLeaderEpoch). librdkafka
asks it for a consumer that is sent somewhere with a leader's epoch, and says the end if it lies before that: so it is
sent to where no log ends.
"""

import itertools
import re
import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaException, TopicPartition

from streams.log.kafka.consumers import ConsumerPool, LentConsumer
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.looking import Ends, Looker
from streams.log.kafka.places import Place

# Offsets that no log reaches, another one for each question: what is said late of an earlier one is not taken for it.
_nowhere = itertools.count(2**62)
_SAID: Final = re.compile(r"at offset (\d+) \(leader epoch -?\d+\): broker end offset is (\d+) ")
_POLL_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 0.02
# A broker takes a connection's requests one after the other, and the next only when the one before it is stored
# everywhere. So when that is, others may follow that came long ago: they come within this time.
_LATECOMERS_SECONDS: Final = 0.25


class SettledEnds:
    """Asks leaders where partitions end, and waits until that can be read."""

    def __init__(self, askers: ConsumerPool, looker: Looker) -> None:
        self._askers = askers
        self._looker = looker

    def ends(self, places: Sequence[Place], *, until: float) -> Sequence[Ends]:
        """Return the ends of partitions, in their order; nothing comes before them any more.

        That holds for what was sent before, by whomever, and is waited for by nobody any more.

        Args:
            until: by the monotonic clock.

        Raises:
            KafkaSilent: until then not everything can be seen, or the brokers do not say.
        """
        is_open = [place.stop is None for place in places]
        if any(is_open):
            self._wait_until_seen([each for each, goes_on in zip(places, is_open, strict=True) if goes_on], until)
        return self._looker.ends(places)

    def _wait_until_seen(self, places: Sequence[Place], until: float) -> None:
        for is_last in (False, True):
            held = self._held_by_leaders(places, until)
            while any(end.high < own for end, own in zip(self._looker.ends(places), held, strict=True)):
                if time.monotonic() > until:
                    raise KafkaSilent(
                        f"the leader of {places[0].topic} holds events that have not come to the other replicas yet",
                        is_of_one_topic=True,
                    )
                time.sleep(_PAUSE_SECONDS)
            if not is_last:
                time.sleep(_LATECOMERS_SECONDS)

    def _held_by_leaders(self, places: Sequence[Place], until: float) -> Sequence[int]:
        """Return Kafka's offsets of the next record to come on the leaders."""
        with self._askers.lend() as consumer:
            try:
                return _ask(consumer, self._looker.heads_and_epochs(places), until)
            finally:
                consumer.rest()


def _ask(consumer: LentConsumer, heads: Sequence[TopicPartition], until: float) -> Sequence[int]:
    handle = consumer.handle
    handle.assign([TopicPartition(head.topic, head.partition, head.offset) for head in heads])
    nowhere = next(_nowhere)
    for head in heads:
        _send_away(consumer, head, nowhere, until)
    said: dict[tuple[str, int], int] = {}
    while len(said) < len(heads):
        if time.monotonic() > until:
            raise KafkaSilent("Kafka does not say in time where its leaders end", is_of_one_topic=True)
        message = handle.poll(_POLL_SECONDS)
        if message is None or (error := message.error()) is None:
            continue
        match = _SAID.search(error.str())
        if match is not None and int(match[1]) == nowhere:
            said[str(message.topic()), int(message.partition() or 0)] = int(match[2])
    return [said[head.topic, head.partition] for head in heads]


def _send_away(consumer: LentConsumer, head: TopicPartition, offset: int, until: float) -> None:
    nowhere = TopicPartition(head.topic, head.partition, offset, leader_epoch=head.leader_epoch)
    while True:
        try:
            consumer.handle.seek(nowhere)
        except KafkaException as error:
            # Its assignment has not begun yet.
            if time.monotonic() > until:
                raise KafkaSilent(str(error.args[0]), is_of_one_topic=True) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return
