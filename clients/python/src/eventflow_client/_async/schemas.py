"""Schemas of a stream's events: tried, registered and looked at."""

from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from ..models import Schema, SchemaCheck, SchemaProposal
from ..paths import of_stream
from ..requests import get, post
from .pages import iterate
from .transport import AsyncTransport

Compatibility = Literal["none", "backward", "forward", "full"]


class AsyncSchemas:
    """`client.schemas`. A schema is JSON Schema (2020-12), in Python's own types or as `msgspec.Raw`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, stream: str, *, type: str | None = None) -> AsyncIterator[Schema]:
        """Iterate over a stream's schemas by type, the latest version first."""
        return iterate(self._transport, get(f"{of_stream(stream)}/schemas", type=type, limit=250), Schema)

    async def get(self, stream: str, type: str, version: int | None = None) -> Schema:
        """Return one version, or the latest.

        Raises:
            StreamNotFound, SchemaNotFound
        """
        which = "latest" if version is None else version
        answer = await self._transport.send(get(f"{of_stream(stream)}/schemas/{quote(type, safe='')}/{which}"))
        return msgspec.json.decode(answer.body, type=Schema)

    async def register(
        self, stream: str, type: str, schema: Any, *, compatibility: Compatibility | None = None
    ) -> Schema:
        """Make a schema the latest version for a type of events, or return it if it is that already.

        Args:
            compatibility: what it keeps of the version before; otherwise as that one says, and `forward` for the first.

        Raises:
            Incompatible: `errors` says what breaks.
            StreamNotFound, InvalidSchema
        """
        body = _body(type, schema=schema, compatibility=compatibility)
        answer = await self._transport.send(post(f"{of_stream(stream)}/schemas", body))
        return msgspec.json.decode(answer.body, type=Schema)

    async def check(
        self,
        stream: str,
        type: str,
        schema: Any = None,
        *,
        compatibility: Compatibility | None = None,
        last: int | None = None,
    ) -> SchemaCheck:
        """Return what would come of a schema: what it breaks, and which of the `last` stored events do not fit.

        Args:
            schema: None: the latest version.
        """
        body = _body(type, schema=schema, compatibility=compatibility, last=last)
        answer = await self._transport.send(post(f"{of_stream(stream)}/schemas/check", body))
        return msgspec.json.decode(answer.body, type=SchemaCheck)

    async def infer(self, stream: str, type: str, *, last: int | None = None) -> SchemaProposal:
        """Return a first schema for a type, from the newest events that are stored of it."""
        answer = await self._transport.send(post(f"{of_stream(stream)}/schemas/infer", _body(type, last=last)))
        return msgspec.json.decode(answer.body, type=SchemaProposal)


def _body(type: str, **given: Any) -> dict[str, Any]:
    return {"type": type} | {name: value for name, value in given.items() if value is not None}
