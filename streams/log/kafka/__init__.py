"""The engine on the Kafka protocol. Nothing here is imported unless an engine of this kind is configured.

Kafka holds records, and nothing else: partitions, epochs, receipts, groups and leases are PostgreSQL's. No consumer
group of Kafka's is joined and no transaction of its is begun.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from streams.log.kafka import configuration

if TYPE_CHECKING:
    from streams.log.protocol import TaggedLog

_MISSING = (
    "confluent-kafka is not installed; `pip install 'eventflow[kafka]'` brings it, and "
    "`pip install --require-hashes -r requirements-extras.txt` the version that was tried"
)


def find_faults(options: Mapping[str, Any]) -> Sequence[str]:
    """Say why options cannot be used; nobody is asked."""
    faults = configuration.find_faults(options)
    return faults if find_spec("confluent_kafka") is not None else [_MISSING, *faults]


def find_weaknesses(options: Mapping[str, Any]) -> Sequence[str]:
    """Say what of the options can be used, and should not; of options without faults."""
    return configuration.find_weaknesses(configuration.read_options(options))


def ask_for_weaknesses(options: Mapping[str, Any]) -> Sequence[str]:
    """Ask the brokers what should be otherwise."""
    from streams.log.kafka.asking_brokers import ask_brokers

    return ask_brokers(configuration.read_options(options))


def make_engine(alias: str, options: Mapping[str, Any]) -> "TaggedLog":
    """Return the engine; it connects when it is first asked.

    Raises:
        ValueError: the options cannot be used.
        ImportError: confluent-kafka is not installed.
    """
    read = configuration.read_options(options)
    from streams.log.kafka.engine import KafkaLog
    from streams.log.kafka.known import is_known

    return KafkaLog(alias, read, is_known=is_known)
