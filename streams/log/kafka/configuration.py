"""What an installation says of a Kafka engine, and what is wrong with it. Pure: nobody is asked.

`EVENTFLOW_ENGINES` gives an alias its options; those that are bad are refused at start, with the way out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from streams.conf import BATCH_CACHE_BYTES, COMMIT_TIMEOUT_SECONDS
from streams.log.kafka.client_settings import MAX_MESSAGE_BYTES, PRODUCER, Settings

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")
_MAX_REPLICAS: Final = 32
_MAX_READERS: Final = 64

# What EventFlow's promises rest on, and what would end up elsewhere than it says.
_OURS: Final = {
    "bootstrap.servers": "it is the option `bootstrap_servers`",
    "metadata.broker.list": "it is the option `bootstrap_servers`",
    "transactional.id": "EventFlow uses no transactions of Kafka's: they leave holes in the offsets",
    "group.id": "EventFlow joins no consumer group of Kafka's",
    "enable.auto.commit": "EventFlow keeps the positions of its readers itself",
    "enable.auto.offset.store": "EventFlow keeps the positions of its readers itself",
    "auto.offset.reset": "a reader that retention overtook has to be told so",
    "enable.partition.eof": "readers would wait for what is not there",
    "allow.auto.create.topics": "a topic that makes itself has none of the settings that a stream needs",
    "delivery.report.only.error": "an append is answered when its report has come",
    "enable.gapless.guarantee": "it stops the producer for good where it now goes on",
}
_SECRET: Final = re.compile(r"password|secret|token|jaas|oauthbearer|pem|\.key|username", re.IGNORECASE)
HIDDEN: Final = "********"


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """The options of one engine.

    Attributes:
        bootstrap_servers: `host:port,host:port`.
        topic_prefix: what the names of topics begin with that EventFlow makes.
        replication_factor, min_in_sync_replicas: of those topics.
        readers: consumers that each process reads with, at most.
        cache_bytes: for events that were read lately, in each process.
        client, producer, consumer: librdkafka's own properties, on top of ours: for all, and for each kind.
    """

    bootstrap_servers: str
    topic_prefix: str = "eventflow."
    replication_factor: int = 3
    min_in_sync_replicas: int = 2
    readers: int = 6
    cache_bytes: int = BATCH_CACHE_BYTES
    client: Settings = field(default_factory=dict)
    producer: Settings = field(default_factory=dict)
    consumer: Settings = field(default_factory=dict)

    @property
    def is_durable(self) -> bool:
        """Whether an acknowledged event outlives any one broker."""
        return self.min_in_sync_replicas >= 2

    def for_all(self) -> Settings:
        return {**self.client, "bootstrap.servers": self.bootstrap_servers}


_NAMES: Final = tuple(each.name for each in fields(KafkaOptions))
_PROPERTIES: Final = ("client", "producer", "consumer")


def read_options(given: Mapping[str, Any]) -> KafkaOptions:
    """Return the options of an engine.

    Raises:
        ValueError: they cannot be used; one line for each fault.
    """
    faults = find_faults(given)
    if faults:
        raise ValueError("\n".join(faults))
    return KafkaOptions(**given)


def find_faults(given: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with options: each line names the option, and what it may be."""
    return [*_faults_of_options(given), *_faults_of_properties(given)]


def _faults_of_options(given: Mapping[str, Any]) -> Iterator[str]:
    for name in given:
        if name not in _NAMES:
            yield f"{name} is no option of a Kafka engine; there are {', '.join(_NAMES)}"
    servers = given.get("bootstrap_servers")
    if not isinstance(servers, str) or not all(_ADDRESS.fullmatch(each) for each in servers.split(",")):
        yield "bootstrap_servers has to be the brokers' addresses, like 'kafka-1:9092,kafka-2:9092'"
    prefix = given.get("topic_prefix", "")
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        yield "topic_prefix may have up to 64 of A-Z a-z 0-9 . _ -"
    for name, least, most in (
        ("replication_factor", 1, _MAX_REPLICAS),
        ("min_in_sync_replicas", 1, _MAX_REPLICAS),
        ("readers", 1, _MAX_READERS),
        ("cache_bytes", 0, 1 << 40),
    ):
        value = given.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            yield f"{name} has to be a whole number from {least} to {most}"
    replicas, in_sync = given.get("replication_factor", 3), given.get("min_in_sync_replicas", 2)
    if isinstance(replicas, int) and isinstance(in_sync, int) and in_sync > replicas:
        yield f"min_in_sync_replicas is {in_sync}, and there are only {replicas} replicas: no append could succeed"


def _faults_of_properties(given: Mapping[str, Any]) -> Iterator[str]:
    for kind in _PROPERTIES:
        properties = given.get(kind, {})
        if not isinstance(properties, Mapping):
            yield f"{kind} has to be a table of librdkafka's properties"
            continue
        for name, value in properties.items():
            if not isinstance(value, str | int | float | bool):
                yield f"{kind}: {name} has to be a text, a number or a truth value"
            elif name in _OURS:
                yield f"{kind}: {name} cannot be set: {_OURS[name]}"
            elif fault := _fault_of_value(name, value):
                yield f"{kind}: {name} {fault}"


def _fault_of_value(name: str, value: str | float) -> str:
    text = str(value).lower()
    number = _number(value)
    if name in {"acks", "request.required.acks"} and text not in {"all", "-1"}:
        return "has to be 'all': an answer means that every replica in sync has the events"
    if name == "enable.idempotence" and text != "true":
        return "has to be true: else a retry stores events twice, or out of order"
    if name in {"message.timeout.ms", "delivery.timeout.ms"} and not 1_000 <= number < COMMIT_TIMEOUT_SECONDS * 1_000:
        return f"has to be from 1000 to less than {COMMIT_TIMEOUT_SECONDS * 1_000:.0f}: so long a request waits"
    if name == "fetch.queue.backoff.ms" and number < 1:
        return "has to be 1 or more: with 0 an idle reader takes a whole processor"
    if name in {"max.in.flight", "max.in.flight.requests.per.connection"} and not 1 <= number <= 5:
        return "has to be from 1 to 5: with more the order of events is lost"
    if name == "message.max.bytes" and number < MAX_MESSAGE_BYTES:
        return f"has to be {MAX_MESSAGE_BYTES} or more, for the largest event"
    return ""


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return -1.0


def find_weaknesses(options: KafkaOptions) -> list[str]:
    """Say what can be used and is worse than it should be."""
    found = []
    if options.replication_factor < 3:
        found.append(
            f"replication_factor is {options.replication_factor}: with less than 3, one broker that is gone stops "
            "appends or loses events"
        )
    if not options.is_durable:
        found.append("min_in_sync_replicas is 1: events that were answered 202 are lost with one broker")
    if 1 < options.min_in_sync_replicas == options.replication_factor:
        found.append("min_in_sync_replicas is replication_factor: one broker that is gone stops all appends")
    return found


def find_weakness_of_brokers(options: KafkaOptions, *, session_timeout_ms: int) -> str:
    """Say what is wrong with how long the brokers take to miss one of theirs; empty: nothing."""
    name = "message.timeout.ms"
    patience = int(_number(options.producer.get(name, options.client.get(name, PRODUCER[name]))))
    if session_timeout_ms < patience:
        return ""
    return (
        f"broker.session.timeout.ms is {session_timeout_ms}, and appends wait for {patience}: when a broker fails, "
        "they are answered `outcome_unknown`. Set it to 6000 or less"
    )


def redact(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they may be shown: without secrets."""
    return {
        name: {key: HIDDEN if _SECRET.search(key) else each for key, each in value.items()}
        if isinstance(value, Mapping)
        else value
        for name, value in given.items()
    }
