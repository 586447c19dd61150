"""What is asked of Kafka's controllers: topics made, compared and deleted, records deleted, who is there.

Never on the way of an append or a read: some of these calls stall for seconds now and then.
"""

import contextlib
import time
from collections.abc import Collection, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from accounts.process_id import process_id
from streams.errors import EngineRefuses
from streams.log.kafka.client_settings import COPY_TOPIC, TOPIC
from streams.log.kafka.codes import MOVED, REFUSED_TOPICS, TOPIC_EXISTS, UNKNOWN, WORDS
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.handles import keep, let_go
from streams.log.kafka.opening import Opener
from streams.log.kafka.places import Place
from streams.log.protocol import TopicSight

_CALL_SECONDS: Final = 10.0
_HEALTH_SECONDS: Final = 3.0
# Short, and again: appends may wait for it.
_ALTER_SECONDS: Final = 2.0
_LEADER_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.02
_END: Final = -1
_DURABLE_REPLICAS: Final = 2
_TOPICS_TO_ASK: Final = 50
_LEAST_SEGMENT_BYTES: Final = 1024 * 1024
_USUAL_SEGMENT_BYTES: Final = 1024 * 1024 * 1024


class TopicShape(NamedTuple):
    """What a topic is made with."""

    partitions: int
    replication_factor: int
    min_in_sync_replicas: int
    retention_bytes: int | None = None

    @property
    def needed(self) -> Mapping[str, str]:
        """Return what of its settings one that is there already has to have."""
        return self.settings

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            **TOPIC,
            "min.insync.replicas": str(self.min_in_sync_replicas),
            **settings_for_bytes(self.retention_bytes),
        }


def settings_for_bytes(retention_bytes: int | None) -> Mapping[str, str]:
    """Return what lets each partition of a topic keep so many bytes; None: all."""
    if retention_bytes is None:
        return {"retention.bytes": TOPIC["retention.bytes"]}
    # Whole segments go: of large ones, nothing would go for long.
    segment = max(_LEAST_SEGMENT_BYTES, min(retention_bytes // 4, _USUAL_SEGMENT_BYTES))
    return {"retention.bytes": str(retention_bytes), "segment.bytes": str(segment)}


class CopyShape(NamedTuple):
    """What a topic for copies is made with. One that is there is its owner's matter, in all but what is needed."""

    partitions: int
    replication_factor: int
    min_in_sync_replicas: int

    @property
    def settings(self) -> Mapping[str, str]:
        return {**COPY_TOPIC, "min.insync.replicas": str(self.min_in_sync_replicas)}

    @property
    def needed(self) -> Mapping[str, str]:
        return {name: self.settings[name] for name in ("max.message.bytes", "min.insync.replicas")}


class Topics:
    """One for each process."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._pid = process_id()
        self._handle: AdminClient | None = None

    @property
    def _admin(self) -> AdminClient:
        if self._handle is None or self._pid != process_id():
            self._pid = process_id()
            try:
                self._handle = keep(self._opener.admin())
            except KafkaException as error:
                raise KafkaSilent(str(error.args[0])) from error
        return self._handle

    @property
    def was_asked(self) -> bool:
        return self._handle is not None

    def ensure(self, name: str, shape: TopicShape | CopyShape) -> str:
        """Make a topic and wait until each of its partitions is led; one that is there must be like it.

        Returns:
            The topic's id.

        Raises:
            EngineRefuses: it is there and differs, or Kafka makes none like it, or not for us.
            KafkaSilent
        """
        try:
            _result(self._admin.create_topics([_new_topic(name, shape)], request_timeout=_CALL_SECONDS)[name])
        except KafkaException as error:
            if error.args[0].code() != TOPIC_EXISTS:
                raise _refusal(error, f"Kafka made no topic {name}") from error
            self._compare(name, shape)
        return self._wait_for_leaders(name, shape.partitions)

    def find_refusal(self, name: str, shape: TopicShape) -> str:
        """Say why Kafka would not make a topic; empty: it would, or has.

        Raises:
            KafkaSilent
        """
        new = _new_topic(name, shape)
        try:
            _result(self._admin.create_topics([new], validate_only=True, request_timeout=_CALL_SECONDS)[name])
        except KafkaException as error:
            if error.args[0].code() in REFUSED_TOPICS:
                return f"Kafka would make no topic {name} ({error.args[0].str()})."
            if error.args[0].code() != TOPIC_EXISTS:
                raise KafkaSilent(
                    f"Kafka does not say whether it would make a topic ({error.args[0].str()})"
                ) from error
        return ""

    def limit_messages(self, name: str, max_bytes: int, *, is_trial: bool = False) -> None:
        """Let a topic take no larger messages than that; of a trial nothing stays.

        Raises:
            EngineRefuses: it may not be altered by us.
            KafkaSilent
        """
        self.alter(name, {"max.message.bytes": str(max_bytes)}, is_trial=is_trial)

    def alter(self, name: str, settings: Mapping[str, str], *, is_trial: bool = False) -> None:
        """Change some settings of a topic; of a trial nothing stays.

        Raises:
            EngineRefuses: it may not be altered by us.
            KafkaSilent
        """
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        deadline = time.monotonic() + _CALL_SECONDS
        while True:
            try:
                answers = self._admin.incremental_alter_configs(
                    [resource], validate_only=is_trial, request_timeout=_ALTER_SECONDS
                )
                _result(answers[resource])
            except KafkaException as error:
                if error.args[0].code() not in MOVED or time.monotonic() > deadline:
                    raise _refusal(error, f"Kafka does not let the topic {name} be altered") from error
            else:
                return
            self._learn_who_controls()

    def _learn_who_controls(self) -> None:
        """Ask any broker who takes such questions: by itself librdkafka would go on to wait for one that has died."""
        with contextlib.suppress(KafkaException):
            self._admin.list_topics(timeout=_ALTER_SECONDS)

    def _compare(self, name: str, shape: TopicShape | CopyShape) -> None:
        found, partitions = self._look_at(name)
        wrong = [
            f"{key} is {found[key].value}, and has to be {value}"
            for key, value in shape.needed.items()
            if key in found and not _suits(key, found[key].value, value)
        ]
        if partitions != shape.partitions:
            wrong.append(f"it has {partitions} partitions, and has to have {shape.partitions}")
        if wrong:
            raise EngineRefuses(f"The topic {name} is there already: {'; '.join(wrong)}. It was not changed.")

    def _look_at(self, name: str) -> tuple[Mapping[str, Any], int]:
        """Return the settings of a topic that is there, and how many partitions it has."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        deadline = time.monotonic() + _CALL_SECONDS
        while True:
            try:
                settings = _result(self._admin.describe_configs([resource], request_timeout=_CALL_SECONDS)[resource])
                return settings, len(_result(self._describe(name)).partitions)
            except KafkaException as error:
                # One that was made a moment ago is not known to every broker.
                if error.args[0].code() not in UNKNOWN or time.monotonic() > deadline:
                    raise _refusal(error, f"Kafka does not describe the topic {name}") from error
            time.sleep(_PAUSE_SECONDS)

    def _describe(self, name: str) -> Any:
        return self._admin.describe_topics(TopicCollection([name]), request_timeout=_CALL_SECONDS)[name]

    def _wait_for_leaders(self, name: str, count: int) -> str:
        deadline = time.monotonic() + _LEADER_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaException):
                topic = _result(self._describe(name))
                if sum(each.leader is not None and each.leader.id >= 0 for each in topic.partitions) == count:
                    return str(topic.topic_id)
            time.sleep(_PAUSE_SECONDS)
        raise KafkaSilent(f"the topic {name} was made, and nobody leads it yet")

    def look_at(self, names: Collection[str]) -> Mapping[str, TopicSight]:
        """Return how topics are, by name, in one question; those that nobody knows are left out.

        Raises:
            KafkaSilent
        """
        return {
            name: TopicSight(str(topic.topic_id), len(topic.partitions)) for name, topic in self.describe(names).items()
        }

    def describe(self, names: Collection[str]) -> Mapping[str, Any]:
        """Return librdkafka's descriptions of topics, by name, in one question; those that nobody knows are left out.

        Raises:
            KafkaSilent
        """
        try:
            return self._describe_now(names)
        except KafkaSilent:
            # After the broker died that it took for the controller, librdkafka goes on to wait for it; a look at all
            # topics, which any broker answers, tells it who is.
            self.metadata()
            return self._describe_now(names)

    def metadata(self) -> Mapping[str, Any]:
        """Return what any broker knows of all topics, by name: who leads, has and keeps up with each partition.

        Raises:
            KafkaSilent
        """
        try:
            return dict(self._admin.list_topics(timeout=_HEALTH_SECONDS).topics)
        except KafkaException as error:
            raise KafkaSilent(self._why_silent(error)) from error

    def _describe_now(self, names: Collection[str]) -> Mapping[str, Any]:
        found = {}
        if names:
            asked = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=_HEALTH_SECONDS)
            for name, future in asked.items():
                try:
                    topic = _result(future)
                except KafkaException as error:
                    if error.args[0].code() not in UNKNOWN:
                        raise KafkaSilent(
                            f"Kafka does not describe the topic {name} ({error.args[0].str()})"
                        ) from error
                else:
                    found[name] = topic
        return found

    def settings_of(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the settings of topics, by name; of those that do not say, or not to us, none.

        Raises:
            KafkaSilent
        """
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        found = {}
        if resources:
            for resource, future in self._admin.describe_configs(resources, request_timeout=_HEALTH_SECONDS).items():
                with contextlib.suppress(KafkaException):
                    found[resource.name] = {key: str(each.value) for key, each in _result(future).items()}
        return found

    def adopt(self, name: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        """Look whether a topic of somebody else can be shown, and appended to unless it `is_read_only`.

        Raises:
            EngineRefuses, KafkaSilent
        """
        sight = self.look_at([name]).get(name)
        if sight is None:
            raise EngineRefuses(f"There is no topic {name}, or this server's user may not describe it.")
        if is_read_only or allow_weak:
            return sight
        settings, _ = self._look_at(name)
        needed = settings.get("min.insync.replicas")
        if needed is None or int(needed.value) < _DURABLE_REPLICAS:
            raise EngineRefuses(
                f"The topic {name} has min.insync.replicas of {needed.value if needed else 'nobody knows what'}: with "
                "one broker the events would be lost that it alone has stored. Set it to 2 or more, say `allow_weak`, "
                "or adopt it `read_only`."
            )
        return sight

    def delete(self, name: str) -> None:
        """Delete a topic; harmless when it is gone.

        Raises:
            KafkaSilent
        """
        try:
            _result(self._admin.delete_topics([name], request_timeout=_CALL_SECONDS)[name])
        except KafkaException as error:
            if error.args[0].code() not in UNKNOWN:
                raise KafkaSilent(f"Kafka did not delete the topic {name} ({error.args[0].str()})") from error

    def delete_records(self, place: Place, *, before: int) -> int:
        """Delete a partition's records before Kafka's offset; return that of the first one that is kept.

        Raises:
            KafkaSilent
        """
        at = TopicPartition(place.topic, place.number, before)
        try:
            answers = self._admin.delete_records([at], request_timeout=_CALL_SECONDS)
            return int(_result(next(iter(answers.values()))).low_watermark)
        except KafkaException as error:
            raise KafkaSilent(f"Kafka deleted no records ({error.args[0].str()})") from error

    def delete_all_records(self, place: Place) -> None:
        """Delete all that a partition holds now.

        Raises:
            KafkaSilent
        """
        self.delete_records(place, before=_END)

    def session_timeout_ms(self) -> int | None:
        """Return after how long the brokers miss one of theirs; None: they do not say, or not to us."""
        try:
            brokers = _result(self._admin.describe_cluster(request_timeout=_HEALTH_SECONDS)).nodes
            resource = ConfigResource(ConfigResource.Type.BROKER, str(brokers[0].id))
            found = _result(self._admin.describe_configs([resource], request_timeout=_CALL_SECONDS)[resource])
            return int(found["broker.session.timeout.ms"].value)
        except (KafkaException, KeyError, IndexError):
            return None

    def count_brokers(self) -> int:
        """Return how many brokers there are.

        Raises:
            KafkaSilent
        """
        try:
            nodes = _result(self._admin.describe_cluster(request_timeout=_HEALTH_SECONDS)).nodes
            self._opener.last_error = None
            return len(nodes)
        except KafkaException as error:
            raise KafkaSilent(self._why_silent(error)) from error

    def _why_silent(self, error: KafkaException) -> str:
        """Say why nobody answers, in words that name no host: what the connections say, if they say something."""
        # Whatever they have to say is told now.
        self._admin.poll(0)
        last = self._opener.last_error or error.args[0]
        return f"Kafka does not answer: {WORDS.get(last.code(), last.name())}"

    def rights(self) -> Collection[str]:
        """Return the names of the rights that our user has on the cluster.

        Raises:
            KafkaSilent
        """
        try:
            described = _result(
                self._admin.describe_cluster(include_authorized_operations=True, request_timeout=_HEALTH_SECONDS)
            )
        except KafkaException as error:
            raise KafkaSilent(f"Kafka does not say what we may ({error.args[0].name()})") from error
        return {each.name for each in described.authorized_operations or ()}

    def rights_on(self, prefix: str) -> Mapping[str, Collection[str]]:
        """Return the names of the rights that our user has on some topics whose names begin so, by name.

        Raises:
            KafkaSilent
        """
        try:
            names = [
                name for name in self._admin.list_topics(timeout=_HEALTH_SECONDS).topics if name.startswith(prefix)
            ]
            asked = self._admin.describe_topics(
                TopicCollection(sorted(names)[:_TOPICS_TO_ASK]),
                include_authorized_operations=True,
                request_timeout=_CALL_SECONDS,
            )
            topics = {name: _result(future) for name, future in asked.items()} if names else {}
        except KafkaException as error:
            raise KafkaSilent(f"Kafka does not say what we may ({error.args[0].name()})") from error
        return {name: {each.name for each in topic.authorized_operations or ()} for name, topic in topics.items()}

    def close(self) -> None:
        if self._handle is not None and self._pid == process_id():
            let_go(self._handle)
            self._handle = None


def _new_topic(name: str, shape: TopicShape | CopyShape) -> NewTopic:
    return NewTopic(
        name,
        num_partitions=shape.partitions,
        replication_factor=shape.replication_factor,
        config=dict(shape.settings),
    )


def _refusal(error: KafkaException, what: str) -> Exception:
    why = f"{what} ({error.args[0].str()})"
    return EngineRefuses(f"{why}.") if error.args[0].code() in REFUSED_TOPICS else KafkaSilent(why)


def _result(future: Any) -> Any:
    try:
        return future.result(_CALL_SECONDS + 1)
    except FutureTimeout as error:
        raise KafkaSilent("Kafka does not answer") from error


def _suits(key: str, found: str, wanted: str) -> bool:
    # More is as good: a larger message limit, more replicas in sync.
    if key in {"max.message.bytes", "min.insync.replicas"}:
        return int(found) >= int(wanted)
    return found == wanted
