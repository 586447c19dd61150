"""What the parts of the engine say to it; it says the same to its callers in their words."""

from typing import Self

from confluent_kafka import KafkaError

from streams.log.kafka.codes import UNKNOWN


class KafkaSilent(Exception):
    """Kafka does not answer as it should; `reason` is for people.

    Attributes:
        is_unknown: it knows nothing of what it was asked for. That is no proof that it is gone.
        is_of_one_topic: it answers, and that topic alone is not as it should be.
    """

    def __init__(self, reason: str, *, is_unknown: bool = False, is_of_one_topic: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unknown = is_unknown
        self.is_of_one_topic = is_unknown or is_of_one_topic

    @classmethod
    def because(cls, error: KafkaError, what: str) -> Self:
        """Say what Kafka does not do, and by which code it says why."""
        silent = cls(f"{what} ({error.name()})", is_unknown=error.code() in UNKNOWN)
        # Of another topic it would have answered.
        silent.is_of_one_topic |= error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        return silent
