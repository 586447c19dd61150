"""The way in: one object for one installation and one caller."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

import httpx
import msgspec

from ..access import find_access
from ..async_kit import Handler
from ..batch_outcome import read_appended
from ..consuming import ConsumerSettings
from ..encoding import NewEvent, encode, encode_event
from ..models import Appended, Caller, Event
from ..outcomes import Retries
from ..producing import ProducerSettings, append_to
from ..requests import Request, get, given, new_key
from .consumer import AsyncConsumer
from .dead_letters import AsyncDeadLetters
from .groups import AsyncGroups
from .keys import AsyncKeys
from .producer import AsyncProducer
from .schemas import AsyncSchemas
from .streams import AsyncStreams
from .transport import AsyncTransport


class AsyncEventFlow:
    """A client of one EventFlow installation. Use it with `async with`, or `aclose` it.

    Args:
        url: where it is; otherwise EVENTFLOW_API, otherwise http://127.0.0.1:8000.
        key: an API key; otherwise EVENTFLOW_KEY.
        token: an access token of a person's, instead of a key.
        retries: how often a request is tried, and for how long.
        connections: how many at most; a consumer needs one for each of its handlers and two more.
        transport: another way to send than httpx's own.

    Attributes:
        streams, groups, dead_letters, schemas, keys: the rest of the API.

    Raises:
        ValueError: no credential, or two.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        token: str | None = None,
        retries: Retries | None = None,
        connections: int = 64,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        access = find_access(url, key, token)
        self._transport = AsyncTransport(
            access.url, access.headers, retries=retries or Retries(), connections=connections, transport=transport
        )
        self.streams = AsyncStreams(self._transport)
        self.groups = AsyncGroups(self._transport)
        self.dead_letters = AsyncDeadLetters(self._transport)
        self.schemas = AsyncSchemas(self._transport)
        self.keys = AsyncKeys(self._transport)

    async def send(
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
        if_head: int | None = None,
        idempotency_key: str | None = None,
    ) -> Appended:
        """Append one event, and return where it is once it is on the server's disk.

        Args:
            deliver_after, expires_after: as of `NewEvent`: when lease mode hands it out, and until when.
            if_head: only if this is the head offset of the event's partition.
            idempotency_key: for a retry that survives a restart of your program; otherwise a new one for this call.

        Raises:
            NotJson
            HeadMoved: the partition has another head than `if_head`.
            Problem, NoAnswer: it was not stored; or nobody knows, if the error's `may_be_stored` says so.
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
        extra = {} if if_head is None else {"If-Head": str(if_head)}
        request = append_to(stream, [body], idempotency_key=idempotency_key, headers=extra)
        return read_appended((await self._transport.send(request)).body)[0]

    async def send_many(
        self, events: Iterable[NewEvent], *, if_head: int | None = None, idempotency_key: str | None = None
    ) -> list[Appended]:
        """Append up to 1,000 events in one request, all or none of them, and return where they went, in their order.

        Raises:
            NotJson
            InvalidEvents, InvalidPayloads: `errors` names each bad one: `/3/key` is the field `key` of the fourth.
            Problem, NoAnswer: none was stored; or nobody knows, if the error's `may_be_stored` says so.
        """
        bodies = [encode_event(**each._asdict()) for each in events]
        if not bodies:
            return []
        extra = {} if if_head is None else {"If-Head": str(if_head)}
        request = append_to(None, bodies, idempotency_key=idempotency_key, headers=extra)
        return read_appended((await self._transport.send(request)).body)

    async def send_encoded(self, events: Sequence[bytes], *, idempotency_key: str) -> None:
        """Append up to 1,000 events that `encode_event` made earlier, all or none of them.

        For programs that write down what they send: every attempt sends the same bytes. What was stored before under
        the same key is not stored again.

        Raises:
            InvalidEvents, InvalidPayloads: `blame` says which of the events are at fault.
            Problem, NoAnswer: none was stored; or nobody knows, if the error's `may_be_stored` says so.
        """
        extra = {"Prefer": "return=minimal"}
        await self._transport.send(append_to(None, events, idempotency_key=idempotency_key, headers=extra))

    def producer(self, settings: ProducerSettings | None = None) -> AsyncProducer:
        """Return a producer that gathers events into batches and sends them in the background."""
        return AsyncProducer(self._transport, settings or ProducerSettings())

    def consumer(
        self,
        stream: str,
        group: str,
        handler: Handler[Event] | None = None,
        *,
        batch_handler: Handler[Sequence[Event]] | None = None,
        settings: ConsumerSettings | None = None,
    ) -> AsyncConsumer:
        """Return a consumer of a group that exists; `run` it.

        Args:
            handler: is given one event at a time; or
            batch_handler: is given events of one partition together, in their order.

        Raises:
            ValueError: no handler, or two.
        """
        return AsyncConsumer(
            self._transport, stream, group, settings or ConsumerSettings(), each=handler, batch=batch_handler
        )

    async def me(self) -> Caller:
        """Return whose credential this client has."""
        return msgspec.json.decode((await self._transport.send(get("/auth/me"))).body, type=Caller)

    async def request(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **parameters: Any
    ) -> Any:
        """Send what has no method of its own: `path` is below `/api/v1`; return the answer's JSON.

        Raises:
            NotJson, Problem, NoAnswer
        """
        content = None if body is None else encode(body)
        extra = {} if method == "GET" else {"Idempotency-Key": new_key()}
        request = Request(method, path, given(parameters), content, {**extra, **(headers or {})})
        answer = await self._transport.send(request)
        return msgspec.json.decode(answer.body) if answer.body else None

    async def aclose(self) -> None:
        """Close the connections. Producers and consumers end before.

        Live streams end with `Closed`. What other threads have under way is finished first; other tasks are cut off.
        """
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()
