"""What went wrong, for a person: the same words and statuses as the API's problems."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework.settings import api_settings


@dataclass(frozen=True, slots=True)
class PageProblem:
    """A refusal as a page or a toast shows it."""

    status: int
    title: str
    detail: str
    code: str
    request_id: str
    retry_after: str
    faults: tuple[tuple[str, str], ...]

    @property
    def is_ours(self) -> bool:
        """Whether we broke rather than refused."""
        return self.status >= 500


def problem_of(error: Exception, request: HttpRequest) -> PageProblem:
    """Return what to show of any error; which status it has, the API's error table alone decides."""
    handle = cast("Callable[[Exception, dict[str, Any]], HttpResponse]", api_settings.EXCEPTION_HANDLER)
    response = handle(error, {"request": request})
    document = orjson.loads(response.content)
    return PageProblem(
        status=response.status_code,
        title=document["title"],
        detail=document["detail"],
        code=document["code"],
        request_id=document["request_id"],
        retry_after=response.get("Retry-After", ""),
        faults=tuple((fault["pointer"], fault["detail"]) for fault in document.get("errors", ())),
    )
