"""`If-Head`: append only to a state that the caller knows."""

from typing import Final

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter

from accounts.http.parameters import whole_number
from streams.conf import MAX_OFFSET

_NAME: Final = "If-Head"
IF_HEAD: Final = OpenApiParameter(
    _NAME,
    {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_OFFSET},
    "header",
    description="Store the events only if the partition that all of them go to has this head; 0: it has had no event.",
)


def expected_head_of(request: HttpRequest) -> int | None:
    """Return the offset that the request's `If-Head` names, if it has one.

    Raises:
        InvalidParameter: it is no offset.
    """
    text = request.META.get("HTTP_IF_HEAD")
    return None if text is None else whole_number(text, _NAME, high=MAX_OFFSET)
