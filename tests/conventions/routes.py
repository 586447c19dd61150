"""Every route of the API, as the URL configuration has it."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

HTTP_METHODS = ("get", "post", "put", "patch", "delete")
_NAMED_GROUP = re.compile(r"\(\?P<(\w+)>[^)]*\)")
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


def api_routes() -> Iterator[tuple[str, str]]:
    """Method and path template (`/streams/{stream}`) of each route under /api/v1."""
    for template, callback in _walk(get_resolver()):
        if template.startswith("api/v1/"):
            for method in _methods_of(callback):
                yield method.upper(), template.removeprefix("api/v1")


def api_views() -> dict[str, Any]:
    """Path template → view class."""
    return {
        template.removeprefix("api/v1"): _class_of(callback)
        for template, callback in _walk(get_resolver())
        if template.startswith("api/v1/")
    }


def _walk(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield _CONVERTER.sub(r"{\1}", _NAMED_GROUP.sub(r"{\1}", route)), pattern.callback


def _class_of(callback: Any) -> Any:
    return getattr(callback, "cls", None) or getattr(callback, "view_class", None)


def _methods_of(callback: Any) -> list[str]:
    if actions := getattr(callback, "actions", None):
        # The first GET that a viewset answers adds `head` to its actions.
        return [method for method in actions if method in HTTP_METHODS]
    return [method for method in HTTP_METHODS if hasattr(_class_of(callback), method)]
