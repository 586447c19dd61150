"""`EventFlow-Atomic: required`: store all events of a request or none, whatever fails; or refuse the request."""

from typing import Final

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter

from accounts.errors import InvalidParameter

_NAME: Final = "EventFlow-Atomic"
_REQUIRED: Final = "required"
ATOMIC: Final = OpenApiParameter(
    _NAME,
    {"type": "string", "enum": [_REQUIRED]},
    "header",
    description="Refuse several events (422 `not_offered`) where the stream's engine does not promise that all of them "
    "are stored or none: where `atomic_append` is not among its `capabilities`.",
)


def is_atomic_required(request: HttpRequest) -> bool:
    """Return whether the request is to be stored wholly or not at all.

    Raises:
        InvalidParameter: the header says something else.
    """
    text = request.META.get("HTTP_EVENTFLOW_ATOMIC")
    if text is not None and text != _REQUIRED:
        raise InvalidParameter(_NAME, f"Must be `{_REQUIRED}`, or be left out.")
    return text is not None
