"""Consumes in lease mode: leases, lets handlers work, keeps the leases meanwhile, and acks what was done."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ..async_kit import Crew, Gate, Handler
from ..chunks import Chunk, Held
from ..consuming import ConsumerSettings, lane_of
from ..errors import EventFlowError, NoAnswer, Problem
from ..failures import longest_error
from ..models import Delivery, Event, Group
from ..outcomes import Retries
from ..problems import LeaseLost
from ..requests import post
from .handlers import AsyncHandlers
from .transport import AsyncTransport

_log = logging.getLogger("eventflow_client")
# An empty answer that came sooner than it had to: the group is paused, say.
_EMPTY_PAUSE_SECONDS = 0.5


class _Leased(msgspec.Struct):
    deliveries: list[Delivery]
    gaps: list[dict[str, Any]] = []


class _Result(msgspec.Struct):
    delivery_id: int
    result: str


class _Results(msgspec.Struct):
    data: list[_Result]


class AsyncLeaseMode:
    """One member of a group in lease mode."""

    def __init__(
        self,
        transport: AsyncTransport,
        path: str,
        group: Group,
        settings: ConsumerSettings,
        *,
        each: Handler[Event] | None,
        batch: Handler[Sequence[Event]] | None,
    ) -> None:
        self._transport = transport
        self._path = path
        self._settings = settings
        self._is_batched = batch is not None
        self._is_ordered = group.ordering != "none"
        self._ack_wait = settings.ack_wait_seconds or float(group.ack_wait)
        self._held = Held()
        self._crew = Crew()
        self._is_stopping = False
        self._is_over = False
        self._turn = 0
        self._stop = Gate()
        self._handlers = AsyncHandlers(settings.concurrency, each=each, batch=batch, when_over=self._finish)

    def stop(self) -> None:
        self._is_stopping = True
        self._stop.notify_all()
        self._handlers.go_on()

    async def run(self) -> None:
        """Consume until `stop`; then finish what is begun and give the rest back.

        Raises:
            Problem: refused for good (no such group, no right to it any more).
        """
        self._crew.start(self._keep_leases, name="eventflow-heartbeat")
        try:
            await self._lease_until_stopped()
        finally:
            await self._leave()

    async def _lease_until_stopped(self) -> None:
        attempt = 0
        while not self._is_stopping:
            await self._handlers.gate.wait_for(self._may_lease_more, 5.0)
            if self._is_stopping or not self._may_lease_more():
                continue
            started = time.monotonic()
            try:
                deliveries = await self._lease()
            except (Problem, NoAnswer) as error:
                if isinstance(error, Problem) and not error.is_retryable:
                    raise
                attempt += 1
                after = error.retry_after if isinstance(error, Problem) else None
                pause = self._transport.retries.pause(attempt, after)
                _log.warning("leasing failed, again in %.1f s: %s", pause, error)
                await self._stop.wait_for(lambda: self._is_stopping, pause)
                continue
            attempt = 0
            self._take(deliveries)
            if not deliveries and time.monotonic() - started < self._settings.wait_seconds / 2:
                await self._stop.wait_for(lambda: self._is_stopping, _EMPTY_PAUSE_SECONDS)

    def _may_lease_more(self) -> bool:
        return self._is_stopping or self._handlers.queued < self._settings.concurrency

    async def _lease(self) -> list[Delivery]:
        wanted: dict[str, Any] = {
            "max_events": self._settings.max_events,
            "wait": self._settings.wait_seconds,
            "consumer": self._settings.consumer_name,
        }
        if self._settings.ack_wait_seconds is not None:
            wanted["ack_wait"] = self._settings.ack_wait_seconds
        request = replace(post(f"{self._path}/lease", wanted), wait_seconds=self._settings.wait_seconds)
        answer = await self._transport.send_once(request)
        return _leased_decoder.decode(answer.body).deliveries

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        count = self._settings.concurrency
        for delivery in deliveries:
            chunk = Chunk(delivery.events, delivery=delivery)
            self._held.add(chunk)
            for task in chunk.tasks(is_batched=self._is_batched):
                self._turn += 1
                if self._is_ordered:
                    lane = delivery.partition % count
                else:
                    lane = lane_of(None if self._is_batched else task.events[0].key, count, otherwise=self._turn)
                self._handlers.put(task, lane)
        if deliveries:
            self._handlers.go_on()

    async def _finish(self, chunk: Chunk) -> None:
        """Ack a delivery whose tasks have ended, unless it is not ours any more."""
        if chunk.is_lost or not chunk.is_whole or not self._held.drop(chunk):
            return
        assert chunk.delivery is not None
        item: dict[str, Any] = _names(chunk.delivery)
        verb = "ack"
        if chunk.failures:
            failures = list(chunk.failures.items())
            if self._is_batched and len({id(each) for _, each in failures}) == 1 and len(failures) == len(chunk.events):
                verb = "nack"
                item |= failures[0][1].as_json()
            else:
                most = longest_error(len(failures))
                item["failed"] = [{"offset": offset, **each.as_json(most=most)} for (_, offset), each in failures]
        await self._say(verb, [item])

    async def _say(self, verb: str, items: list[dict[str, Any]]) -> set[int]:
        """Say of deliveries what became of them; return those that were not ours any more."""
        # After that long somebody else has them.
        retries = replace(self._transport.retries, total_seconds=self._ack_wait)
        return await self._ask(verb, items, {}, retries)

    async def _ask(self, verb: str, items: list[dict[str, Any]], extra: dict[str, Any], retries: Retries) -> set[int]:
        try:
            request = post(f"{self._path}/{verb}", {"deliveries": items, **extra})
            answer = await self._transport.send(request, retries=retries)
        except LeaseLost:
            lost = {int(item["delivery_id"]) for item in items}
        except EventFlowError as error:
            _log.warning("%s of %d deliveries failed; their events may come again: %s", verb, len(items), error)
            return set()
        else:
            results = msgspec.json.decode(answer.body, type=_Results).data
            lost = {each.delivery_id for each in results if each.result == "lease_lost"}
        if lost:
            _log.warning("%s: the leases of %d deliveries were lost; their events come again", verb, len(lost))
        return lost

    async def _keep_leases(self) -> None:
        """Extend all that is held, long before it expires."""
        pause = self._ack_wait / 3
        retries = Retries(attempt_seconds=max(1.0, pause), total_seconds=0.0)
        extra = {} if self._settings.ack_wait_seconds is None else {"ack_wait": self._settings.ack_wait_seconds}
        while not self._is_over:
            await self._stop.wait_for(lambda: self._is_over, pause)
            held = [] if self._is_over else self._held.all()
            for begin in range(0, len(held), 1000):
                chunks = {each.delivery.delivery_id: each for each in held[begin : begin + 1000] if each.delivery}
                items = [_names(each.delivery) for each in chunks.values() if each.delivery]
                for lost in await self._ask("extend", items, extra, retries):
                    # What was acked in the meantime is not lost: it is not held any more.
                    if self._held.drop(chunks[lost]):
                        chunks[lost].is_lost = True

    async def _leave(self) -> None:
        self._is_stopping = True
        await self._give_back([chunk for chunk in self._held.all() if chunk.withdraw()])
        if not await self._handlers.finish(self._settings.stop_seconds):
            _log.warning("handlers did not end within %g s; their events are given back", self._settings.stop_seconds)
            await self._give_back(self._held.all())
        self._is_over = True
        self._stop.notify_all()
        await self._crew.join(self._ack_wait)

    async def _give_back(self, chunks: list[Chunk]) -> None:
        given_back = [chunk for chunk in chunks if self._held.drop(chunk)]
        items = [_names(chunk.delivery) for chunk in given_back if chunk.delivery]
        for begin in range(0, len(items), 1000):
            await self._say("release", items[begin : begin + 1000])


_leased_decoder = msgspec.json.Decoder(_Leased)


def _names(delivery: Delivery) -> dict[str, Any]:
    return {"delivery_id": delivery.delivery_id, "lease_token": delivery.lease_token}
