# Made from ../_async by generate.py: change that, not this.
"""Consumes in offset mode: polls, lets handlers work, and commits what is finished."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from ..sync_kit import Gate, Handler
from ..chunks import Chunk
from ..consuming import ConsumerSettings, lane_of
from ..errors import EventFlowError, NoAnswer, Problem
from ..failures import HandlerFailed
from ..models import Event
from ..positions import read_positions
from ..problems import EventExpired, EventNotFound, GroupPaused
from ..requests import Answer, get, post, post_without_key
from .handlers import Handlers
from .transport import Transport

_log = logging.getLogger("eventflow_client")
_decoder = msgspec.json.Decoder(list[Event])


class OffsetMode:
    """The one reader of a group in offset mode, or of one of its partitions."""

    def __init__(
        self,
        transport: Transport,
        stream_path: str,
        group_path: str,
        group: str,
        settings: ConsumerSettings,
        *,
        each: Handler[Event] | None,
        batch: Handler[Sequence[Event]] | None,
    ) -> None:
        self._transport = transport
        self._stream_path = stream_path
        self._path = group_path
        self._group = group
        self._settings = settings
        self._is_batched = batch is not None
        self._is_stopping = False
        self._stop = Gate()
        self._committed: dict[int, int] = {}
        self._handlers = Handlers(settings.concurrency, each=each, batch=batch, when_over=self._note)

    def stop(self) -> None:
        self._is_stopping = True
        self._stop.notify_all()
        self._handlers.go_on()

    def run(self) -> None:
        """Consume until `stop`; then finish what is begun, and commit it.

        Raises:
            Problem: refused for good (no such group, no right to it any more).
            HandlerFailed: with `on_failure="stop"`.
        """
        try:
            self._poll_until_stopped()
        finally:
            self._is_stopping = True
            self._handlers.finish(self._settings.stop_seconds)

    def _poll_until_stopped(self) -> None:
        attempt = 0
        while not self._is_stopping:
            try:
                answer = self._poll()
            except (Problem, NoAnswer) as error:
                is_paused = isinstance(error, GroupPaused)
                if isinstance(error, Problem) and not error.is_retryable and not is_paused:
                    raise
                attempt += 1
                after = error.retry_after if isinstance(error, Problem) else None
                pause = self._transport.retries.pause(attempt, 1.0 if is_paused else after)
                _log.warning("polling failed, again in %.1f s: %s", pause, error)
                self._stop.wait_for(lambda: self._is_stopping, pause)
                continue
            attempt = 0
            if gap := answer.headers.get("eventflow-gap"):
                _log.warning("retention took events that %s has not read: %s", self._group, gap)
            self._work(answer)

    def _poll(self) -> Answer:
        settings = self._settings
        request = get(
            f"{self._stream_path}/events",
            consumer_group_id=self._group,
            limit=settings.max_events,
            wait=settings.wait_seconds,
            partition=settings.partition,
            type=",".join(settings.types) or None,
        )
        return self._transport.send_once(replace(request, wait_seconds=settings.wait_seconds))

    def _work(self, answer: Answer) -> None:
        events = _decoder.decode(answer.body)
        following = read_positions(
            answer.headers.get("eventflow-next-offset", ""), partition=self._settings.partition or 0
        )
        if not events:
            self._commit(following)
            return
        # If they had been read before, somebody has sought back.
        for partition in {event.partition for event in events}:
            self._committed.pop(partition, None)
        chunk = Chunk(events, ends_at_failure=self._settings.on_failure == "stop")
        count = self._settings.concurrency
        for task in chunk.tasks(is_batched=self._is_batched):
            first = task.events[0]
            lane = lane_of(None if self._is_batched else first.key, count, otherwise=first.partition)
            self._handlers.put(task, lane)
        self._handlers.go_on()
        self._wait_for(chunk)
        if self._settings.on_failure == "park":
            for event in chunk.failed_events():
                self._park(event, chunk.failures[event.partition, event.offset].error)
                chunk.settle(event)
        failed = chunk.failed_events()
        self._commit(following if chunk.is_whole and not failed else chunk.finished_up_to())
        if failed:
            first = failed[0]
            raise HandlerFailed(first) from chunk.failures[first.partition, first.offset].cause

    def _wait_for(self, chunk: Chunk) -> None:
        """Wait until the chunk is over, or only what was begun of it where nothing more is to be begun."""
        deadline: float | None = None
        while not chunk.is_over:
            if deadline is None and self._is_stopping:
                chunk.withdraw()
                deadline = time.monotonic() + self._settings.stop_seconds
            pause = self._settings.commit_seconds if deadline is None else deadline - time.monotonic()
            if pause <= 0:
                _log.warning("handlers did not end within %g s", self._settings.stop_seconds)
                return
            self._handlers.gate.wait_for(partial(self._is_news, chunk, deadline is None), pause)
            if not chunk.is_over:
                self._commit(chunk.finished_up_to())

    def _is_news(self, chunk: Chunk, may_end: bool) -> bool:  # noqa: FBT001 - for `partial`
        return chunk.is_over or (may_end and self._is_stopping)

    def _park(self, event: Event, error: str) -> None:
        """Make a dead letter of an event, also if retention has just taken it."""
        said: dict[str, Any] = {"partition": event.partition, "offset": event.offset, "error": error}
        try:
            self._insist(post(f"{self._path}/dead-letters", said))
        except (EventExpired, EventNotFound):
            copy = msgspec.to_builtins(event)
            copy = {name: value for name, value in copy.items() if value is not None or name in ("key", "occurred_at")}
            self._insist(post(f"{self._path}/dead-letters", {**said, "event": copy}))

    def _commit(self, offsets: dict[int, int]) -> None:
        known = self._committed
        news = {number: offset for number, offset in offsets.items() if offset and offset != known.get(number)}
        if not news:
            return
        places = [{"partition": number, "offset": offset} for number, offset in sorted(news.items())]
        self._insist(post_without_key(f"{self._path}/offsets", {"offsets": places}))
        self._committed |= news

    def _insist(self, request: Any) -> None:
        """Send until it is answered: nothing goes on before. When stopping, no longer than any other request."""
        while True:
            try:
                self._transport.send(request)
            except EventFlowError as error:
                is_final = isinstance(error, Problem) and not error.is_retryable
                if is_final or self._is_stopping or not isinstance(error, Problem | NoAnswer):
                    raise
                _log.warning("not answered yet, going on: %s", error)
            else:
                return

    def _note(self, _chunk: Chunk) -> None:
        """The one who polls is told by the gate."""
