"""Rights that owners give to others: of a stream, or of a group."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from ..models import Grant
from ..requests import Request, get, post
from .pages import iterate
from .transport import AsyncTransport


class AsyncGrants:
    """Who was given which rights to one stream or group, beside its owner. Whoever manages it may look and change."""

    def __init__(self, transport: AsyncTransport, path: str) -> None:
        self._transport = transport
        self._path = f"{path}/grants"

    def list(self) -> AsyncIterator[Grant]:
        """Iterate over them."""
        return iterate(self._transport, get(self._path, limit=250), Grant)

    async def give(self, rights: Sequence[str], *, user: str | None = None, team: str | None = None) -> Grant:
        """Give a user, by their e-mail address, or a team exactly these rights; they replace what it had.

        Args:
            rights: of a stream `produce`, `consume`, `manage`; of a group `use`, `manage`.

        Raises:
            InvalidRequest: nobody is named, or two, or a right that there is not.
        """
        body = {"rights": rights} | {name: to for name, to in (("user", user), ("team", team)) if to is not None}
        return msgspec.json.decode((await self._transport.send(post(self._path, body))).body, type=Grant)

    async def take_back(self, grant: int) -> None:
        """End a grant by its id, within a second everywhere."""
        await self._transport.send(Request("DELETE", f"{self._path}/{grant}"))
