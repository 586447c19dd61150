"""API keys, for people: a key makes no keys. And who produces with which."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from ..models import ApiKey, NewApiKey, Producer
from ..requests import Request, get, post
from .pages import iterate
from .transport import AsyncTransport


class AsyncKeys:
    """`client.keys`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncIterator[ApiKey]:
        """Iterate over the caller's keys; a key sees itself alone."""
        return iterate(self._transport, get("/api-keys", limit=250), ApiKey)

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[str],
        streams: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        addresses: Sequence[str] | None = None,
    ) -> NewApiKey:
        """Make a key; its `secret` is told this once.

        Args:
            scopes: of `produce`, `consume`, `manage`, `admin`.
            streams: only these.
            addresses: only from these networks.
        """
        given: dict[str, Any] = {"streams": streams, "expires_at": expires_at, "addresses": addresses}
        body = {"name": name, "scopes": scopes} | {key: value for key, value in given.items() if value is not None}
        return msgspec.json.decode((await self._transport.send(post("/api-keys", body))).body, type=NewApiKey)

    async def rotate(self, key_id: str, *, overlap_seconds: int) -> NewApiKey:
        """Make a successor of a key, which goes on for so long."""
        request = post(f"/api-keys/{quote(key_id, safe='')}/rotate", {"overlap_seconds": overlap_seconds})
        return msgspec.json.decode((await self._transport.send(request)).body, type=NewApiKey)

    async def revoke(self, key_id: str) -> None:
        """End a key, within a second everywhere."""
        await self._transport.send(Request("DELETE", f"/api-keys/{quote(key_id, safe='')}"))

    def producers(self) -> AsyncIterator[Producer]:
        """Iterate over those who may produce, with their keys and streams: the caller, or for an admin everybody."""
        return iterate(self._transport, get("/producers", limit=250), Producer)
