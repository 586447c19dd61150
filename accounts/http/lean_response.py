"""Django's response, made without what the verbs that are called thousands of times a second have no use for."""

from http.cookies import SimpleCookie
from typing import Any

from django.http import HttpResponse
from django.http.response import ResponseHeaders
from django.utils.functional import cached_property


class LeanHeaders(ResponseHeaders):
    """Django's headers, in which plain text is stored as it is; anything else is checked and encoded as ever."""

    _store: dict[str, tuple[str, str]]

    def __setitem__(self, name: Any, value: Any) -> None:
        # Line breaks are not printable.
        if type(value) is str and value.isascii() and value.isprintable():
            self._store[name.lower()] = (name, value)
        else:
            super().__setitem__(name, value)

    def lines(self) -> list[tuple[str, str]]:
        """Return each header, in the order in which they were set."""
        return list(self._store.values())


class LeanResponse(HttpResponse):
    """An answer that is bytes already, of a known kind.

    Args:
        content_type: of plain text, as all names of headers have to be that are set later.
    """

    def __init__(self, content: bytes, *, content_type: str, status: int = 200) -> None:
        # Not Django's own: it looks at each of these for what it might be.
        self.headers = LeanHeaders({})
        self.headers["Content-Type"] = content_type
        self.status_code = status
        self.closed = False
        self._container = [content]
        self._charset = self._reason_phrase = self._handler_class = None
        self._resource_closers: list[Any] = []

    @cached_property
    def cookies(self) -> SimpleCookie:  # type: ignore[override]
        return SimpleCookie()
