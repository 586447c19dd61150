"""What of a cluster should be otherwise, asked before anything starts: `check --deploy`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from confluent_kafka.admin import AclOperation

from streams.log.kafka.configuration import KafkaOptions, find_weakness_of_brokers
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.opening import Opener
from streams.log.kafka.topics import Topics

_NAMED: Final = 3
# By the right: what cannot be done without it.
CLUSTER_RIGHTS: Final = {
    AclOperation.CREATE.name: "streams can be made there only if it may create topics of the prefix"
}
TOPIC_RIGHTS: Final = {
    AclOperation.READ.name: "nothing can be read",
    AclOperation.WRITE.name: "nothing can be appended",
    AclOperation.DESCRIBE.name: "nothing can be looked at",
    AclOperation.DELETE.name: "retention and the deletion of streams are not done",
    AclOperation.DESCRIBE_CONFIGS.name: "nobody knows how many replicas have to store an append",
    AclOperation.ALTER_CONFIGS.name: "its stream cannot be moved back",
}


def ask_brokers(options: KafkaOptions) -> list[str]:
    """Say what should be otherwise; among it, that nobody answers, and which rights are missing."""
    topics = Topics(Opener(options))
    try:
        count = topics.count_brokers()
        found = []
        if count < options.replication_factor:
            found.append(f"there are {count} brokers, and replication_factor is {options.replication_factor}")
        timeout = topics.session_timeout_ms()
        if timeout is not None and (words := find_weakness_of_brokers(options, session_timeout_ms=timeout)):
            found.append(words)
        return found + find_missing_rights(topics.rights(), topics.rights_on(options.topic_prefix))
    except KafkaSilent as error:
        return [f"{error.reason}: its streams would answer 503, and all others go on"]
    finally:
        topics.close()


def find_missing_rights(cluster: Collection[str], of_topics: Mapping[str, Collection[str]]) -> list[str]:
    """Say which rights are missing, and what comes of that.

    Args:
        cluster: the rights that our user has on the cluster.
        of_topics: and on topics of ours, by their names.
    """
    found = [
        f"its user has not the right {right} on the cluster: {words}"
        for right, words in CLUSTER_RIGHTS.items()
        if right not in cluster
    ]
    for right, words in TOPIC_RIGHTS.items():
        without = [name for name, rights in of_topics.items() if right not in rights]
        if without:
            found.append(f"its user has not the right {right} on {_listed(without)}: {words}")
    return found


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more topics" if more > 0 else "")
