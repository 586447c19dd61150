"""The one shape of every refusal: RFC 9457 `application/problem+json`."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

TYPE_BASE = "/docs/problems#"
# Never echo more of what the caller sent than this.
MAX_DETAIL_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, before it becomes a response.

    Attributes:
        code: stable snake_case name; the `type` URI leads to its explanation.
        retryable: sending the same again may succeed.
        members: what else a program may want to know, by name.
        errors: items `{pointer, code, detail}`, where single parts of the request are at fault.
    """

    status: int
    code: str
    title: str
    detail: str
    retryable: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, str | int] = field(default_factory=dict)

    def as_response(self, request: HttpRequest | Request) -> HttpResponse:
        """Return the answer to a request; whoever writes of it finds the code in its `problem_code`."""
        http_request: Any = request._request if isinstance(request, Request) else request  # noqa: SLF001 - what it wraps
        http_request.problem_code = self.code
        document: dict[str, Any] = {
            "type": TYPE_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail[:MAX_DETAIL_CHARACTERS],
            "code": self.code,
            "request_id": getattr(http_request, "request_id", ""),
            "retryable": self.retryable,
            **self.members,
        }
        if self.errors:
            document["errors"] = self.errors
        body = orjson.dumps(document, default=str)
        return HttpResponse(body, status=self.status, content_type="application/problem+json", headers=self.headers)
