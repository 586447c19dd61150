"""What Kafka's error codes say about records and places."""

from typing import Final

from confluent_kafka import KafkaError

# Of a delivery report: the leader refused the record before it was written anywhere. Every other code leaves it open,
# above all a time-out: records that timed out were found in the log later.
REFUSED: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    }
)
# What a topic answers whose limit on messages is lower than anything: so a stream's place is closed.
FENCED: Final = KafkaError.MSG_SIZE_TOO_LARGE
# The topic is unknown: it was deleted, or made so lately that not every broker has heard of it.
UNKNOWN: Final = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - so its own codes are called
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)
# Another broker leads the partition, or none does at this moment: ask again.
MOVED: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._DESTROY_BROKER,  # noqa: SLF001
    }
)
# Retention took the record that was asked for.
OUT_OF_RANGE: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
)
END_OF_PARTITION: Final = KafkaError._PARTITION_EOF  # noqa: SLF001
QUEUE_FULL: Final = KafkaError._QUEUE_FULL  # noqa: SLF001
# No topic of that shape, or none for us: asking again does not help.
REFUSED_TOPICS: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.TOPIC_EXCEPTION,
    }
)
TOPIC_EXISTS: Final = KafkaError.TOPIC_ALREADY_EXISTS


# Of connections that do not come about, for people; they name no host.
WORDS: Final = {
    KafkaError._TRANSPORT: "nobody takes a connection at its addresses, or who does is no broker",  # noqa: SLF001
    KafkaError._RESOLVE: "its addresses are not known by their names",  # noqa: SLF001
    KafkaError._SSL: "TLS comes to no agreement; look at security.protocol and ssl.*",  # noqa: SLF001
    KafkaError._AUTHENTICATION: "its user or password is refused; look at sasl.*",  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED: "its user or password is refused; look at sasl.*",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "it does not know the sasl.mechanism",
    KafkaError._TIMED_OUT: "no answer came in time",  # noqa: SLF001
}


def may_pass(error: KafkaError) -> bool:
    """Whether asking again may help."""
    return error.retriable() or error.code() in MOVED or error.code() in UNKNOWN
