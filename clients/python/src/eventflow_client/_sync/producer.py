# Made from ../_async by generate.py: change that, not this.
"""A producer that gathers events into batches and sends them in the background."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from ..sync_kit import Crew, Gate, Outcome, Pending, at_exit
from ..batch_outcome import Told, read_appended
from ..encoding import encode_event
from ..errors import Closed, EventFlowError, NoAnswer, NotInTime, Problem
from ..outbox import Batch, Outbox
from ..producing import ProducerSettings, append_to
from ..refused_batches import blame
from .transport import Transport

_log = logging.getLogger("eventflow_client")
# Without anything to do, senders look around this often.
_IDLE_SECONDS = 5.0


class Producer:
    """Takes events and sends them in batches; each is stored once, or its `Pending` says why not.

    A batch is tried until it is answered or `give_up_seconds` are over, always with the same key and the same bytes.
    Later events of the same key wait for it. Close it, or use it with `with`: that waits for what is under way.
    """

    def __init__(self, transport: Transport, settings: ProducerSettings) -> None:
        self._transport = transport
        self._settings = settings
        self._outbox: Outbox[Outcome] = Outbox(settings, Outcome)
        self._work = Gate()
        self._room = Gate()
        self._crew = Crew()
        self._start_once = threading.Lock()
        self._news = 0
        self._is_closed = False
        self._stay_on_exit = at_exit(self.close)

    def enqueue(
        self,
        stream: str,
        payload: Any,
        *,
        type: str | None = None,
        key: str | None = None,
        id: str | None = None,
        occurred_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
        deliver_after: datetime | timedelta | float | None = None,
        expires_after: timedelta | float | None = None,
    ) -> Pending:
        """Take an event to be sent soon. Waits only where the buffer is full.

        Raises:
            NotJson
            NotInTime: there was no room for `room_seconds`; the event is not taken.
            Closed
        """
        body = encode_event(
            payload,
            type=type,
            key=key,
            id=id,
            occurred_at=occurred_at,
            headers=headers,
            deliver_after=deliver_after,
            expires_after=expires_after,
        )
        added = self._outbox.add(stream, key, body, time.monotonic())
        if added is None:
            added = self._wait_for_room(stream, key, body)
        if added.is_news:
            if self._start_once.acquire(blocking=False):
                self._start()
            self._tell_senders()
        assert isinstance(added.outcome, Outcome)
        return Pending(
            added.outcome, added.place, self._settings.give_up_seconds + self._transport.retries.attempt_seconds
        )

    def flush(self, timeout: float | None = None) -> None:
        """Send all that was taken until now, and wait until it is settled.

        Raises:
            NotInTime: something is not settled after so many seconds (`close_seconds`); it goes on.
        """
        seconds = self._settings.close_seconds if timeout is None else timeout
        deadline = time.monotonic() + seconds
        unsettled = self._outbox.flush(time.monotonic())
        self._tell_senders()
        for outcome in unsettled:
            assert isinstance(outcome, Outcome)
            if not outcome.is_known and not outcome.wait(max(0.0, deadline - time.monotonic())):
                raise NotInTime(f"Not all events are settled after {seconds:g} s.")

    def close(self, timeout: float | None = None) -> None:
        """Take nothing more, and wait for what was taken; what is not settled in time fails. Never raises for that."""
        if self._is_closed:
            return
        self._outbox.close()
        self._is_closed = True
        self._stay_on_exit()
        seconds = self._settings.close_seconds if timeout is None else timeout
        deadline = time.monotonic() + seconds
        try:
            self.flush(seconds)
        except NotInTime:
            left = self._outbox.abandon()
            for batch in left:
                batch.outcome.be_told([NoAnswer("The producer was closed before it was sent.")] * len(batch.bodies))
            _log.warning("closed with %d batches unsent", len(left))
        self._tell_senders()
        self._room.notify_all()
        self._crew.join(max(0.1, deadline - time.monotonic()))

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the events that are not settled."""
        return self._outbox.byte_count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _wait_for_room(self, stream: str, key: str | None, body: bytes) -> Any:
        added = None

        def is_added_or_closed() -> bool:
            nonlocal added
            if added is None and not self._is_closed:
                added = self._outbox.add(stream, key, body, time.monotonic())
            return added is not None or self._is_closed

        # What fills the buffer need not wait for company.
        self._outbox.flush(time.monotonic())
        self._tell_senders()
        if not self._room.wait_for(is_added_or_closed, self._settings.room_seconds):
            raise NotInTime(f"The buffer has been full for {self._settings.room_seconds:g} s; the event was not taken.")
        if added is None:
            raise Closed("The producer was closed meanwhile.")
        return added

    def _start(self) -> None:
        for number in range(self._settings.senders):
            self._crew.start(self._send_batches, name=f"eventflow-sender-{number}")

    def _tell_senders(self) -> None:
        self._news += 1
        self._work.notify_all()

    def _send_batches(self) -> None:
        while True:
            taken: Batch[Outcome] | None = None
            # Whoever brings something new may also have changed when the next batch is due.
            seen = self._news

            def is_something_to_do(seen: int = seen) -> bool:
                nonlocal taken
                taken = taken or self._outbox.take(time.monotonic())
                return taken is not None or self._news != seen or (self._is_closed and self._outbox.is_empty)

            seconds = self._outbox.seconds_until_due(time.monotonic())
            self._work.wait_for(is_something_to_do, _IDLE_SECONDS if seconds is None else seconds)
            if taken is not None:
                self._deliver(taken)
            elif self._is_closed and self._outbox.is_empty:
                return

    def _deliver(self, batch: Batch[Outcome]) -> None:
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            _log.exception("a batch of %s failed", batch.lane.stream)
            failed = error if isinstance(error, EventFlowError) else NoAnswer(f"{error!r}", may_be_stored=True)
            batch.outcome.be_told([failed] * len(batch.bodies))
        finally:
            self._outbox.settle(batch)
            self._tell_senders()
            self._room.notify_all()

    def _send(self, batch: Batch[Outcome]) -> None:
        told: dict[int, Told] = {}
        left = [list(range(len(batch.bodies)))]
        while left:
            places = left.pop(0)
            is_whole = len(places) == len(batch.bodies)
            request = append_to(
                batch.lane.stream, batch.bodies if is_whole else [batch.bodies[each] for each in places]
            )
            seconds = batch.expires_at - time.monotonic()
            if seconds <= 0:
                told |= dict.fromkeys(places, NoAnswer("It was not sent in time: others before it took too long."))
                continue
            try:
                answer = self._transport.send(
                    request, retries=replace(self._transport.retries, total_seconds=seconds)
                )
            except Problem as problem:
                failed, again = blame(problem, places)
                told |= failed
                left = again + left
            except EventFlowError as error:
                told |= dict.fromkeys(places, error)
            else:
                if is_whole:
                    batch.outcome.be_stored(answer.body)
                    return
                told |= dict(zip(places, read_appended(answer.body), strict=True))
        batch.outcome.be_told([told[index] for index in range(len(batch.bodies))])
