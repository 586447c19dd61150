"""Lists that page by a keyset: the URL of the next page names the last row of this one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, QueryDict

Row = TypeVar("Row")
PAGE_ROWS = 50
CURSOR = "after"


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """One page of a list; `is_filtered` tells an empty list from one that filters emptied."""

    rows: Sequence[Row]
    next_url: str
    first_url: str
    is_later: bool
    is_filtered: bool


def listing_of(
    request: HttpRequest,
    fetched: Sequence[Row],
    *,
    key: Callable[[Row], Any],
    filters: Sequence[str] = (),
    size: int = PAGE_ROWS,
    cursor: str = CURSOR,
) -> Listing[Row]:
    """Return the page that begins `fetched`, which holds one row more than a page if there are more.

    Args:
        cursor: the parameter that says where a page begins; a second list beside the first has one of its own.
    """
    rows = fetched[:size]
    go_on = key(rows[-1]) if len(fetched) > size else None
    return listing_from(request, rows, go_on=go_on, filters=filters, cursor=cursor)


def listing_from(
    request: HttpRequest, rows: Sequence[Row], *, go_on: Any, filters: Sequence[str] = (), cursor: str = CURSOR
) -> Listing[Row]:
    """Return a page of which it is known where the next one begins: behind the key `go_on`, None at the end."""
    return Listing(
        rows=rows,
        next_url=_url(request, cursor, str(go_on)) if go_on is not None else "",
        first_url=_url(request, cursor, None),
        is_later=cursor in request.GET,
        is_filtered=any(request.GET.get(name) for name in filters),
    )


def cursor_of(request: HttpRequest, cursor: str = CURSOR) -> str | None:
    """Where the page begins: after the row of this key."""
    text = request.GET.get(cursor)
    return text if text and "\x00" not in text else None


def text_filter(request: HttpRequest, name: str, *, longest: int = 200) -> str:
    """A filter's text, trimmed and bounded; what PostgreSQL cannot hold is nothing."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:longest]


def _url(request: HttpRequest, cursor: str, after: str | None) -> str:
    query: QueryDict = request.GET.copy()
    query.pop(cursor, None)
    if after is not None:
        query[cursor] = after
    return f"{request.path}?{query.urlencode()}" if query else request.path
