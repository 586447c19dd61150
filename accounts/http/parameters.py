"""Query parameters, read strictly: known names, once each, in exactly the form that is documented."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ValidationError

from accounts.errors import InvalidParameter, UnknownField
from accounts.http.fields import WITHOUT_NUL, StrictDateTimeField
from accounts.row_ids import MAX_ROW_ID

_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SECONDS = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?", re.ASCII)
# What OpenAPI says of a parameter's text, unless it can say more: see `known_parameters`.
PARAMETER_TEXT: Final = {"minLength": 1, "pattern": WITHOUT_NUL}
_NO_QUERY = QueryDict("")


def known_parameters(request: HttpRequest, allowed: Collection[str]) -> QueryDict:
    """Return the query, having refused names it may not have, names it has twice, and names without a value.

    Raises:
        UnknownField, InvalidParameter
    """
    if not request.META.get("QUERY_STRING"):
        return _NO_QUERY
    query = request.GET
    if unknown := [name for name in query if name not in allowed]:
        raise UnknownField(unknown, where="query")
    for name, values in query.lists():
        if len(values) > 1:
            raise InvalidParameter(name, "Give it once.")
        if not values[0]:
            raise InvalidParameter(name, "Give it a value, or leave it out.")
        if "\x00" in values[0]:
            raise InvalidParameter(name, "Must not contain NUL.")
    return query


def integer_parameter(query: QueryDict, name: str, *, default: int, low: int, high: int) -> int:
    """Return a whole number in decimal digits within `low` and `high`, or `default` where it is absent."""
    text = query.get(name)
    return default if text is None else whole_number(text, name, low=low, high=high)


def whole_number(text: str, name: str, *, low: int = 0, high: int = MAX_ROW_ID) -> int:
    """Return the number that `text` is in plain decimal digits, from a query, an address or a form.

    Raises:
        InvalidParameter: it is none, or not within `low` and `high`; `name` says which.
    """
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise InvalidParameter(name, f"Must be a whole number from {low} to {high}.")
    return int(text)


def boolean_parameter(query: QueryDict, name: str) -> bool:
    """Return whether the parameter is `true`; it is not where it is absent or `false`."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidParameter(name, "Must be true or false.")
    return text == "true"


def choice_parameter(query: QueryDict, name: str, choices: Collection[str]) -> str | None:
    """Return one of some words, or None where it is absent."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise InvalidParameter(name, f"Must be one of {', '.join(choices)}.")
    return text


def seconds_parameter(query: QueryDict, name: str, *, default: float, high: float) -> float:
    """Return a duration in seconds (at most three decimals) from 0 to `high`, or `default` where it is absent."""
    text = query.get(name)
    if text is None:
        return default
    if not _SECONDS.fullmatch(text) or not float(text) <= high:
        raise InvalidParameter(name, f"Must be a number of seconds from 0 to {high:g}, with three decimals at most.")
    return float(text)


def moment_parameter(query: QueryDict, name: str) -> datetime | None:
    """Return a moment, or None where it is absent.

    Raises:
        InvalidParameter: it has no zone, or is not of the form of RFC 3339.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        moment: datetime = StrictDateTimeField().run_validation(text)
    except ValidationError:
        raise InvalidParameter(name, "Must be a moment with its zone: `2026-11-22T10:00:00Z`.") from None
    return moment
