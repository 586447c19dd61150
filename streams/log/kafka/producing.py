"""The producer of this process: one idempotent session with the brokers, and the thread that takes its reports."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from accounts.latches import Latch, open_all
from accounts.process_id import process_id
from streams.errors import AppendNotStored
from streams.log.kafka.client_settings import MAX_QUEUED_BYTES, MAX_QUEUED_RECORDS, Settings
from streams.log.kafka.codes import QUEUE_FULL
from streams.log.kafka.handles import keep, let_go
from streams.log.kafka.places import Place
from streams.log.kafka.sent import SentAppend, SentRecords

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.1
CLOSE_SECONDS: Final = 9.0

Headers = Sequence[tuple[str, bytes]]


class Session:
    """A producer and its thread. It ends when it is closed, or when librdkafka says that it is broken for good."""

    def __init__(self, handle: Producer) -> None:
        self._handle = keep(handle)
        self._sent: set[SentAppend] = set()
        self._finished: list[Latch] = []
        self._counting = threading.Lock()
        self._bytes = 0
        self._lanes: dict[Place, threading.Lock] = {}
        self._is_closing = False
        self.is_broken = False
        self._thread = threading.Thread(target=self._take_reports, name="eventflow-kafka-reports", daemon=True)
        self._thread.start()

    def begin(self, latch: Latch, *, records: int, size: int) -> SentAppend:
        """Return a new append on its way, if there is room for so many records and bytes.

        Raises:
            AppendNotStored: too much is on its way.
        """
        with self._counting:
            if self._bytes + size > MAX_QUEUED_BYTES or len(self._handle) + records > MAX_QUEUED_RECORDS:
                raise AppendNotStored("Too many events wait for Kafka on this server. Nothing was stored; retry.")
            self._bytes += size
            sent = SentAppend(latch, finished=self._finished, size=size)
            self._sent.add(sent)
        return sent

    def end(self, sent: SentAppend) -> None:
        """Expect nothing more of it."""
        with self._counting:
            self._bytes -= sent.size
            self._sent.discard(sent)

    def send(self, place: Place, records: Sequence[bytes], keys: Sequence[bytes | None], into: SentRecords) -> int:
        """Queue records; return how many reports will come. What was not queued is refused."""
        # Two threads' records would lie between each other's.
        with self._lanes.setdefault(place, threading.Lock()):
            if len(records) == 1:
                return self._send_one(place, records[0], keys[0] if keys else None, (), into)
            return self._send_many(place, records, keys, into)

    def send_with_headers(
        self,
        place: Place,
        records: Iterable[tuple[bytes, bytes | None, Headers]],
        into: SentRecords,
    ) -> int:
        """Do the same for records (value, key, headers) with headers of their own; each costs a call."""
        queued = 0
        with self._lanes.setdefault(place, threading.Lock()):
            for value, key, headers in records:
                queued += self._send_one(place, value, key, headers, into)
                if into.refusals:
                    # What follows must not be stored without it.
                    break
        return queued

    def _send_one(self, place: Place, value: bytes, key: bytes | None, headers: Headers, into: SentRecords) -> int:
        try:
            self._handle.produce(
                place.topic, value, key, partition=place.number, on_delivery=into.report, headers=list(headers)
            )
        except BufferError:
            into.refuse([KafkaError(QUEUE_FULL)])
            return 0
        except KafkaException as error:
            into.refuse([error.args[0]])
            return 0
        return 1

    def _send_many(
        self, place: Place, records: Sequence[bytes], keys: Sequence[bytes | None], into: SentRecords
    ) -> int:
        messages: list[dict[str, Any]]
        if keys:
            messages = [{"value": record, "key": key} for record, key in zip(records, keys, strict=True)]
        else:
            messages = [{"value": record} for record in records]
        try:
            queued = self._handle.produce_batch(place.topic, messages, partition=place.number, on_delivery=into.report)
        except BufferError:
            into.refuse([KafkaError(QUEUE_FULL)])
            return 0
        except KafkaException as error:
            into.refuse([error.args[0]])
            return 0
        if queued < len(messages):
            into.refuse([message["_error"] for message in messages if "_error" in message])
        return queued

    def close(self) -> None:
        """Wait for what is on its way, then end."""
        self._is_closing = True
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            let_go(self._handle)

    def _take_reports(self) -> None:
        while not self._is_closing or self._sent:
            try:
                self._handle.poll(POLL_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must not wait for ever
                self._break(error)
                return
            if self._finished:
                finished, self._finished[:] = list(self._finished), []
                open_all(finished)

    def _break(self, error: Exception) -> None:
        # What it had on its way may be stored or not. A new session begins with the next append.
        logger.error("the producer has failed for good, a new one begins: %s", error)
        self.is_broken = True
        open_all(list(self._finished))
        for sent in list(self._sent):
            sent.give_up()
            open_all([sent.latch])
        let_go(self._handle)


class LogProducer:
    """The session of this process, made when it is first needed, and anew when it broke or the process is a fork."""

    def __init__(self, settings: Settings, open_handle: Callable[[Settings], Producer]) -> None:
        self._settings = settings
        self._open_handle = open_handle
        self._is_closed = False
        self._forget()

    def _forget(self) -> None:
        self._pid = process_id()
        self._lock = threading.Lock()
        self._session: Session | None = None

    def session(self) -> Session:
        """Return the session.

        Raises:
            AppendNotStored: the server is shutting down.
        """
        session = self._session
        if session is not None and not session.is_broken and self._pid == process_id() and not self._is_closed:
            return session
        if self._pid != process_id():
            self._forget()
        with self._lock:
            if self._is_closed:
                raise AppendNotStored("The server is shutting down. Nothing was stored; retry.")
            if self._session is None or self._session.is_broken:
                self._session = Session(self._open_handle(self._settings))
            return self._session

    def close(self) -> None:
        """Wait for what was accepted; later appends are refused."""
        self._is_closed = True
        with self._lock:
            session, self._session = self._session, None
        if session is not None and self._pid == process_id():
            session.close()
