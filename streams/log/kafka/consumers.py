"""Consumers that are assigned to partitions and never subscribe, lent to one thread at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from accounts.process_id import process_id
from streams.log.kafka.client_settings import Settings
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.handles import keep, let_go
from streams.log.kafka.places import Place

PATIENCE_SECONDS: Final = 2.0
# An assigned consumer fetches ahead, and asks again and again at the head: not for nobody.
IDLE_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 1.0


class Standing(NamedTuple):
    """Where a consumer goes on without a new fetch: Kafka's own offset of the next record."""

    place: Place
    position: int


class LentConsumer:
    """A consumer, and where it stands."""

    __slots__ = ("handle", "standing", "used_at")

    def __init__(self, handle: Consumer) -> None:
        self.handle = keep(handle)
        self.standing: Standing | None = None
        self.used_at = time.monotonic()

    def go_to(self, standing: Standing) -> None:
        """Assign it, unless it is there."""
        if self.standing != standing:
            place = standing.place
            self.handle.assign([TopicPartition(place.topic, place.number, standing.position)])
        # Until it is given back: an error on the way leaves it nowhere.
        self.standing = None

    def rest(self) -> None:
        """Let it fetch nothing more."""
        self.handle.unassign()
        self.standing = None


class ConsumerPool:
    """At most `size` consumers, made as they are needed."""

    def __init__(self, settings: Settings, open_handle: Callable[[Settings], Consumer], *, size: int) -> None:
        self._settings = settings
        self._open_handle = open_handle
        self._size = size
        self._forget()

    def _forget(self) -> None:
        self._pid = process_id()
        self._changed = threading.Condition()
        self._idle: list[LentConsumer] = []
        self._made = 0
        self._is_closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def lend(self, standing: Standing | None = None) -> Iterator[LentConsumer]:
        """Lend a consumer; one that stands there already, if there is one.

        Raises:
            KafkaSilent: none came free in time.
        """
        consumer = self._take(standing)
        try:
            yield consumer
        finally:
            consumer.used_at = time.monotonic()
            with self._changed:
                self._idle.append(consumer)
                self._changed.notify()

    def _take(self, standing: Standing | None) -> LentConsumer:
        if self._pid != process_id():
            # A forked child has none of its parent's threads.
            self._forget()
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                if self._is_closed:
                    raise KafkaSilent("this server is shutting down")
                found = self._find_idle(standing)
                if found is not None:
                    return found
                if self._made < self._size:
                    self._made += 1
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise KafkaSilent("too many reads of it wait on this server")
        return self._make()

    def _find_idle(self, standing: Standing | None) -> LentConsumer | None:
        for consumer in self._idle:
            if standing is not None and consumer.standing == standing:
                self._idle.remove(consumer)
                return consumer
        # Rather a further one than to take another reader's place from it.
        if self._idle and (standing is None or self._made >= self._size or self._idle[0].standing is None):
            return self._idle.pop(0)
        return None

    def _make(self) -> LentConsumer:
        try:
            consumer = LentConsumer(self._open_handle(self._settings))
        except BaseException as error:
            with self._changed:
                self._made -= 1
                self._changed.notify()
            if isinstance(error, KafkaException):
                raise KafkaSilent(str(error.args[0])) from error
            raise
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._tidy, name="eventflow-kafka-tidy", daemon=True)
                self._thread.start()
        return consumer

    def _tidy(self) -> None:
        """Let consumers rest that nobody has used for a while."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, _TICK_SECONDS)
                if self._is_closed:
                    return
                for consumer in self._idle:
                    if consumer.standing is not None and time.monotonic() - consumer.used_at > IDLE_SECONDS:
                        consumer.rest()

    def close(self) -> None:
        """Close those that are idle; those that are lent are closed with the process."""
        if self._pid != process_id():
            return
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for consumer in idle:
            consumer.handle.close()
            let_go(consumer.handle)
