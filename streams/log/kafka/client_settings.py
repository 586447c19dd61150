"""How librdkafka is set, and why. What an installation says of its own comes on top (`configuration.py`)."""

from collections.abc import Mapping
from typing import Any, Final

Settings = Mapping[str, Any]

# A broker's default for the largest batch; our largest event is a million bytes.
MAX_MESSAGE_BYTES: Final = 1_048_588
# What waits in this process for the brokers: beyond it appends are refused, and none of theirs is stored.
MAX_QUEUED_BYTES: Final = 128 * 1024 * 1024
MAX_QUEUED_RECORDS: Final = 100_000

_ALL: Final[Settings] = {
    "client.id": "eventflow",
    # Topics are made by `ensure`, with what a stream needs; one that is missing must not appear by itself.
    "allow.auto.create.topics": False,
    "socket.nagle.disable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
}

PRODUCER: Final[Settings] = {
    **_ALL,
    # An answer means: on every replica that is in sync, once, in order.
    "acks": "all",
    "enable.idempotence": True,
    "max.in.flight.requests.per.connection": 5,
    # Requests that come together share a batch; alone, one waits for no longer than this. With 3 instead of 1 more was
    # stored where many come together, most of all on three nodes, and brokers worked less (docs/benchmarks.md).
    "linger.ms": 3,
    "batch.size": 1_000_000,
    "batch.num.messages": 10_000,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "compression.type": "lz4",
    # Below the ten seconds that a request waits: librdkafka gives up first, and says of each record what it knows.
    "message.timeout.ms": 8_000,
    "request.timeout.ms": 2_500,
    # A broker that hangs keeps its connection: the request to it waits for this.
    "socket.timeout.ms": 3_000,
    "retry.backoff.ms": 50,
    "retry.backoff.max.ms": 500,
    # Ours comes first (MAX_QUEUED_…), so that an append is queued as a whole or not at all.
    "queue.buffering.max.kbytes": 2 * MAX_QUEUED_BYTES // 1024,
    "queue.buffering.max.messages": 2 * MAX_QUEUED_RECORDS,
    # How long a topic may be unknown before that is believed: a new one is, for a moment.
    "topic.metadata.propagation.max.ms": 3_000,
    "topic.metadata.refresh.interval.ms": 60_000,
}

_CONSUMER: Final[Settings] = {
    **_ALL,
    # It must have one, and is never joined.
    "group.id": "eventflow-assigned-only",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # What retention took is told, not jumped over.
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "check.crcs": True,
    "isolation.level": "read_committed",
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 10,
    "fetch.error.backoff.ms": 20,
    # With 0 a reader whose queue is full spins. With 1 eight of them took a tenth of a processor and more; with 2 they
    # take six hundredths, and read as fast (`python -m benchmarks.engines`).
    "fetch.queue.backoff.ms": 2,
}

READER: Final[Settings] = {
    **_CONSUMER,
    "queued.min.messages": 1_000,
    "queued.max.messages.kbytes": 2_048,
    "max.partition.fetch.bytes": 1_048_576,
}

# For single events anywhere: a fetch that brings little comes five times as fast.
PEEKER: Final[Settings] = {
    **_CONSUMER,
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 64,
    "max.partition.fetch.bytes": 65_536,
}

# For offsets alone: on a reader's connection they would wait behind its parked fetch.
LOOKER: Final[Settings] = _CONSUMER
# Where leaders end: it is sent to where nothing is, and fetches nothing.
LEADERS_ASKER: Final[Settings] = {**_CONSUMER, "enable.partition.eof": False, "queued.min.messages": 1}
# For what is stored and cannot be read yet: somebody's transaction is open in front of it.
LOOKER_BEHIND_TRANSACTIONS: Final[Settings] = {**_CONSUMER, "isolation.level": "read_uncommitted"}

# --- copies for clients of Kafka's own ---

# Of what is sent for a mirror, whatever an installation says: after this time nothing of it is sent any more.
COPY_TIMEOUT_MS: Final = 8_000
COPY_PRODUCER: Final[Settings] = {**PRODUCER, "linger.ms": 5}
COPY_PRODUCER_FIXED: Final[Settings] = {
    "message.timeout.ms": COPY_TIMEOUT_MS,
    # A record that is refused ends the session. Else those behind it would be stored without it.
    "enable.gapless.guarantee": True,
}
COPY_CONSUMER: Final[Settings] = {**_CONSUMER, "queued.max.messages.kbytes": 2_048}
# What others have under way in transactions must not hide what is behind it.
COPY_CONSUMER_FIXED: Final[Settings] = {
    "isolation.level": "read_uncommitted",
    # Closing waits for a position that is under way to a coordinator; by itself for a minute.
    "socket.timeout.ms": 3_000,
}

TOPIC: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    # Else retention would go by what clients say the time is.
    "message.timestamp.type": "LogAppendTime",
    "unclean.leader.election.enable": "false",
    # EventFlow trims: its rules and Kafka's never fight.
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "compression.type": "producer",
}

# Copies are kept as long as the brokers keep what nobody says anything of; nobody trims them.
COPY_TOPIC: Final[Mapping[str, str]] = {
    name: value for name, value in TOPIC.items() if name not in {"retention.ms", "retention.bytes"}
}
