# Made from ../_async by generate.py: change that, not this.
"""Lists as one iteration: the next page is fetched when it is reached."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from ..requests import Request
from .transport import Transport

Item = TypeVar("Item", bound=msgspec.Struct)


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next: str | None = None


def iterate(transport: Transport, request: Request, kind: type[Item]) -> Iterator[Item]:
    """Yield what a list has, page after page.

    Raises:
        Problem, NoAnswer: in the middle of it too; what was yielded before is right.
    """
    parameters: Mapping[str, Any] = request.parameters
    while True:
        answer = transport.send(Request("GET", request.path, parameters))
        page = msgspec.json.decode(answer.body, type=_Page)
        for raw in page.data:
            yield msgspec.json.decode(raw, type=kind)
        if page.next is None:
            return
        parameters = {**request.parameters, "cursor": page.next}
