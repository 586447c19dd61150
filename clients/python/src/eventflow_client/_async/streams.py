"""Streams: made, changed, looked at and read."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from ..async_kit import Following
from ..encoding import encode
from ..models import Event, Gap, Retention, RetentionForecast, Stream, StreamStats
from ..paths import of_stream
from ..positions import read_positions
from ..requests import Request, get, post
from .grants import AsyncGrants
from .live import AsyncLiveStream
from .pages import iterate
from .transport import AsyncTransport

_log = logging.getLogger("eventflow_client")
_events = msgspec.json.Decoder(list[Event])


class AsyncStreams:
    """`client.streams`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self, *, name: str | None = None, owner: str | None = None, paused: bool | None = None
    ) -> AsyncIterator[Stream]:
        """Iterate over the streams that the caller may see; `name` and `owner` as far as they are known."""
        return iterate(self._transport, get("/streams", name=name, owner=owner, paused=paused, limit=250), Stream)

    async def get(self, stream: str) -> Stream:
        """Return a stream's settings.

        Raises:
            StreamNotFound
        """
        return msgspec.json.decode((await self._transport.send(get(of_stream(stream)))).body, type=Stream)

    async def create(
        self,
        stream: str,
        *,
        description: str | None = None,
        partitions: int | None = None,
        visibility: str | None = None,
        retention: Retention | None = None,
        validation: str | None = None,
        deduplicate_ids: int | None = None,
        labels: Mapping[str, str] | None = None,
        owner: str | None = None,
        engine: str | None = None,
    ) -> Stream:
        """Make a stream; what is not given is as the server has it.

        Raises:
            StreamExists, InvalidName, ReservedName, InvalidRequest
            UnknownEngine, EngineRefuses, EngineUnavailable: it cannot lie in that engine, or not now.
        """
        given: dict[str, Any] = {
            "description": description,
            "partitions": partitions,
            "visibility": visibility,
            "retention": retention,
            "validation": validation,
            "deduplicate_ids": deduplicate_ids,
            "labels": labels,
            "owner": owner,
            "engine": engine,
        }
        body = {"name": stream} | {name: value for name, value in given.items() if value is not None}
        return msgspec.json.decode((await self._transport.send(post("/streams", body))).body, type=Stream)

    async def change(self, stream: str, *, confirm: str | None = None, **changes: Any) -> Stream:
        """Change a stream's settings, by their names in the API: `paused=True`, `retention=Retention(max_events=1000)`.

        Args:
            confirm: the stream's name, for a change that deletes events.

        Raises:
            StreamNotFound, InvalidRequest
            ConfirmationMissing: events would go; `foresee` says which.
        """
        parameters = {} if confirm is None else {"confirm": confirm}
        request = Request("PATCH", of_stream(stream), parameters, encode(changes))
        return msgspec.json.decode((await self._transport.send(request)).body, type=Stream)

    async def foresee(self, stream: str, **changes: Any) -> RetentionForecast:
        """Return what a change of a stream's settings would delete, and make none."""
        request = Request("PATCH", of_stream(stream), {"dry_run": "true"}, encode(changes))
        return msgspec.json.decode((await self._transport.send(request)).body, type=RetentionForecast)

    async def delete(self, stream: str, *, confirm: str) -> None:
        """Delete a stream with its events and groups; `confirm` is its name once more.

        Raises:
            StreamNotFound, ConfirmationMissing
        """
        await self._transport.send(Request("DELETE", of_stream(stream), {"confirm": confirm}))

    async def stats(self, stream: str, *, window: str = "1h") -> StreamStats:
        """Return a stream in numbers; `window` is `1m` to `30d`."""
        request = get(f"{of_stream(stream)}/stats", window=window)
        return msgspec.json.decode((await self._transport.send(request)).body, type=StreamStats)

    def grants(self, stream: str) -> AsyncGrants:
        """Return who else may `produce` to, `consume` or `manage` a stream, to look and to change."""
        return AsyncGrants(self._transport, of_stream(stream))

    async def event(self, stream: str, partition: int, offset: int) -> Event:
        """Return one event by its address.

        Raises:
            EventNotFound, EventExpired
        """
        answer = await self._transport.send(get(f"{of_stream(stream)}/events/{partition}/{offset}"))
        return msgspec.json.decode(answer.body, type=Event)

    async def follow(
        self,
        stream: str,
        *,
        last_offset: int | str = "latest",
        partition: int | None = None,
        types: Sequence[str] = (),
        on_gap: Callable[[Gap], Any] | None = None,
    ) -> Following[Event]:
        """Iterate over a stream's events as they come, without a group and without end.

        A connection that breaks is made anew and goes on where it ended: nothing is skipped, and nothing comes twice.
        It takes a connection of the client's until the iteration is closed.

        Args:
            last_offset: the last one that was seen, as `read` takes it.
            on_gap: told which events retention took before they could be read; otherwise they are a warning in the log.

        Raises:
            Problem: refused, or the right to it has ended.
            NoAnswer: there was none at the beginning. Later it is tried again for ever.
        """
        live = AsyncLiveStream(
            self._transport, stream, place=str(last_offset), partition=partition, types=types, on_cut=_tell_of_cut
        )
        async with aclosing(live.__aiter__()) as messages:
            async for each in messages:
                if not isinstance(each, Gap):
                    yield msgspec.json.decode(each, type=Event)
                elif on_gap is not None:
                    on_gap(each)
                else:
                    _log.warning("retention took offsets %d to %d of %s", each.first_offset, each.last_offset, stream)

    async def read(
        self,
        stream: str,
        *,
        last_offset: int | str = "earliest",
        partition: int | None = None,
        types: Sequence[str] = (),
        wait_seconds: float = 0.0,
    ) -> AsyncIterator[Event]:
        """Iterate over a stream's events, without a group and without committing anything.

        Args:
            last_offset: the last one that was seen: a number (with `partition`, where there are several), `earliest`
                or `latest`.
            wait_seconds: end only when nothing has come for so long, up to 30; 0: at the head.
        """
        path = f"{of_stream(stream)}/events"
        place: int | str = last_offset
        while True:
            request = get(
                path,
                last_offset=place,
                partition=partition,
                limit=1000,
                wait=wait_seconds,
                type=",".join(types) or None,
            )
            answer = await self._transport.send(replace(request, wait_seconds=wait_seconds))
            events = _events.decode(answer.body)
            for event in events:
                yield event
            following = answer.headers["eventflow-next-offset"]
            has_moved = place in ("earliest", "latest") or read_positions(following) != read_positions(str(place))
            if not events and not has_moved:
                return
            place = following


def _tell_of_cut(why: str) -> None:
    _log.info("a live stream was cut off, and is tried again: %s", why)
