"""Django's own handler, which a Content-Type cannot lead astray."""

from collections.abc import Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Utf8Request(WSGIRequest):
    """A request whose address and form are UTF-8, whatever its Content-Type says.

    That speaks of the body. Django would read the address by it too, with any codec that Python has, before anybody
    could answer: some make other text of it, and some make none and fail.
    """

    @property
    def encoding(self) -> None:
        return None

    @encoding.setter
    def encoding(self, _named: str | None) -> None:
        """It stays what the settings say."""

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except ValueError:
            # What it says in addition cannot be read. Whoever takes a body says whether that matters.
            self.content_type = meta.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
            self.content_params = {}


class Handler(WSGIHandler):
    """Answers everything but the hot verbs."""

    request_class = Utf8Request
