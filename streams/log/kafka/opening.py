"""Handles of librdkafka, opened with our settings and an installation's; what they have to say goes to our log."""

import logging
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from streams.log.kafka.client_settings import (
    COPY_CONSUMER_FIXED,
    COPY_PRODUCER,
    COPY_PRODUCER_FIXED,
    Settings,
)
from streams.log.kafka.configuration import KafkaOptions
from streams.log.kafka.repeated_lines import SeldomRepeated

logger = logging.getLogger("eventflow.kafka")
# Of what we have set on purpose nobody need be warned, by each handle anew.
logger.addFilter(lambda line: "enable.gapless.guarantee is experimental" not in line.getMessage())
logger.addFilter(SeldomRepeated())

# Of syslog: from notices on. What a lost connection says is a level of its own below.
_LEVEL: Final = 5
_SAYS_LITTLE: Final = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT})  # noqa: SLF001


class Opener:
    """Opens the handles of one engine."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        # What the connections for questions to the controllers have to say, until they are asked what.
        self.last_error: KafkaError | None = None

    def producer(self, settings: Settings) -> Producer:
        return Producer(self._all(settings, self._options.producer), logger=logger)

    def consumer(self, settings: Settings) -> Consumer:
        return Consumer(self._all(settings, self._options.consumer), logger=logger)

    def copy_producer(self) -> Producer:
        own = {**self._options.producer, **COPY_PRODUCER_FIXED}
        return Producer(self._all(COPY_PRODUCER, own), logger=logger)

    def copy_consumer(self, settings: Settings) -> Consumer:
        own = {**self._options.consumer, **COPY_CONSUMER_FIXED}
        return Consumer(self._all(settings, own), logger=logger)

    def admin(self) -> AdminClient:
        return AdminClient(self._all({"client.id": "eventflow", "error_cb": self._note}, {}), logger=logger)

    def _note(self, error: KafkaError) -> None:
        if "SSL" in error.str():
            # Of who hangs up in the middle of a handshake librdkafka only says that they did.
            error = KafkaError(KafkaError._SSL)  # noqa: SLF001
        # That nobody is left, or hangs up, says less than why.
        if error.code() not in _SAYS_LITTLE or self.last_error is None:
            self.last_error = error

    def _all(self, settings: Settings, own: Settings) -> dict[str, Any]:
        return {"log_level": _LEVEL, **settings, **self._options.for_all(), **own}
