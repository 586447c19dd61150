from typing import Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from accounts.conf import MAX_BODY_BYTES
from accounts.errors import EmptyBody
from accounts.http.bodies import is_chunked, read_body
from accounts.http.strict_json import decode_object


class StrictJSONParser(BaseParser):
    """The one parser of the API: strict JSON objects, no forms, no multipart."""

    # Any type is let in here, so that `read_body` is the one place that refuses, in our words.
    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return decode_object(read_body(stream, limit=MAX_BODY_BYTES)[1])


def has_no_body(request: HttpRequest | Request) -> bool:
    """Whether nothing at all was sent: DRF calls no parser then, and takes it for `{}`."""
    is_empty = request.META.get("CONTENT_LENGTH") in (None, "", "0") and not is_chunked(request)
    return is_empty and request.method in ("POST", "PUT", "PATCH")


def require_body(request: HttpRequest | Request) -> None:
    """Refuse a request without a body where `{}` would be taken, and change nothing, without a word.

    Raises:
        EmptyBody
    """
    if has_no_body(request):
        raise EmptyBody
