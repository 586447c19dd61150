"""Versions on the wire: `ETag`, `If-Match` and `If-None-Match`, as RFC 9110 has them."""

import re
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ETAG: Final = {"type": "string", "pattern": '^"[0-9a-f]{32}"$'}

ETAG = OpenApiParameter(
    "ETag", _ETAG, OpenApiParameter.HEADER, response=[200], description="The version of what may be changed of it."
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` that you have seen: if it has changed since, nothing is done (412). `*`: whatever it is.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The `ETag` that you have: if it still holds, 304."
)


def expected_versions(request: Request) -> frozenset[str] | None:
    """Return the versions for which a change is meant; None: for any.

    A weak tag promises no more than likeness, so it is none of them; what is no tag at all is no version either.
    """
    text = request.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _TAG.findall(text) if not weak)


def answer_with_version(request: Request, content: Any, version: str) -> Response:
    """Answer with what a thing is and its version; to who has it already, with that alone."""
    headers = {"ETag": f'"{version}"'}
    known = request.headers.get("If-None-Match", "") if request.method in ("GET", "HEAD") else ""
    if known.strip() == "*" or version in (tag for _, tag in _TAG.findall(known)):
        return Response(status=304, headers=headers)
    return Response(content, headers=headers)
