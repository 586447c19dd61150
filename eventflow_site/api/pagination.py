"""Keyset paging: `{"data": […], "next": cursor | null}`, with no counts and no OFFSET.

A view names its order as `keyset`, e.g. `("-created_at", "id")`; the last field makes it unique. The
cursor holds the last row's values, signed, so that nobody can put anything else there.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidParameter
from accounts.http.parameters import integer_parameter

DEFAULT_LIMIT = 50
MAX_LIMIT = 250
_SALT = "eventflow.cursor"
Looking = Callable[[Any, int], tuple[list[Any], list[Any] | None]]


class KeysetPagination(BasePagination):
    """Pages over an ordered QuerySet by where the last page ended."""

    parameters = ("cursor", "limit")
    next: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        limit, remaining = self._begin(queryset, view)
        rows = list(remaining[: limit + 1])
        more = len(rows) > limit
        rows = rows[:limit]
        self.next = _dump([_attribute(rows[-1], field) for field in view.keyset], view) if more else None
        return rows

    def paginate_looking(self, queryset: Any, look: Looking, view: Any) -> list[Any]:
        """Return a page of what has to be looked for: it may be short, or empty, and still have a next one.

        Args:
            look: takes what is left of the ordered queryset and how many rows the page may have; returns its rows, and
                the values of the keyset behind which to look further, or None at the end.
        """
        limit, remaining = self._begin(queryset, view)
        rows, reached = look(remaining, limit)
        self.next = _dump(reached, view) if reached is not None else None
        return rows

    def _begin(self, queryset: Any, view: Any) -> tuple[int, Any]:
        query = view.query
        limit = integer_parameter(query, "limit", default=DEFAULT_LIMIT, low=1, high=MAX_LIMIT)
        fields: tuple[str, ...] = view.keyset
        if "cursor" in query:
            queryset = queryset.filter(_after(fields, _load(str(query["cursor"]), len(fields), _salt(view))))
        return limit, queryset.order_by(*fields)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["data", "next"],
            "properties": {"data": schema, "next": {"type": "string", "nullable": True}},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "minLength": 1},
                "description": "`next` of the page before.",
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
                "description": "Rows at most.",
            },
        ]


def _salt(view: Any) -> str:
    # The cursor belongs to one list: it means nothing elsewhere.
    return f"{_SALT}:{type(view).__name__}"


def _dump(values: list[Any], view: Any) -> str:
    return signing.dumps([_dump_value(value) for value in values], salt=_salt(view))


def _after(fields: tuple[str, ...], values: list[Any]) -> Q:
    """The rows behind the given one, in the order of `fields`: (a, b) > (x, y), spelled out."""
    condition, equal = Q(), Q()
    for field, value in zip(fields, values, strict=True):
        name = field.removeprefix("-")
        beyond = Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        condition |= equal & beyond
        equal &= Q(**{name: value})
    return condition


def _attribute(row: Any, field: str) -> Any:
    for part in field.removeprefix("-").split("__"):
        row = getattr(row, part)
    return row


def _dump_value(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _load(cursor: str, count: int, salt: str) -> list[Any]:
    try:
        values = signing.loads(cursor, salt=salt)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidParameter("cursor", "Must be the `next` of a page before, unchanged.") from error
    if len(values) != count:
        raise InvalidParameter("cursor", "Must be the `next` of a page before, unchanged.")
    return [datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value for value in values]
