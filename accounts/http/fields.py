"""Serializers that take nothing on trust: no `"5"` for 5, no 123 for "123", no field that is not theirs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, Final, Self

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from accounts.conf import MAX_FAULTS
from accounts.names import NAME_PATTERN


class StrictSerializer(serializers.Serializer):
    """A serializer that refuses fields it does not have: a typo is found, nothing is assigned by mass.

    Attributes:
        either: fields of which exactly one is given.
    """

    either: ClassVar[tuple[str, ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError({"": [ErrorDetail("An object is expected.", code="expected_object")]})
        writable = {name for name, field in self.fields.items() if not field.read_only}
        if unknown := list(islice((name for name in data if name not in writable), 20)):
            raise ValidationError(
                {name: [ErrorDetail("There is no such field.", code="unknown_field")] for name in unknown}
            )
        fields: dict[str, Any] = super().to_internal_value(data)
        if self.either and sum(name in data for name in self.either) != 1:
            names = " or ".join(f"`{name}`" for name in self.either)
            raise ValidationError({self.either[0]: [ErrorDetail(f"Give either {names}.", code="either")]})
        return fields

    @classmethod
    def beyond_fields(cls) -> dict[str, Any]:
        """Return what a JSON schema says of several fields together."""
        return {"oneOf": [{"required": [name]} for name in cls.either]} if cls.either else {}

    @classmethod
    def checked(cls, given: Any) -> Self:
        """Return what a body or a form says, checked.

        Raises:
            ValidationError
        """
        body = cls(data=given)
        body.is_valid(raise_exception=True)
        return body


# What PostgreSQL cannot keep in a text; strict JSON is refused for it before any field is looked at.
WITHOUT_NUL: Final = r"^[^\x00]*$"
_MORE_THAN_SPACE: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"


class StrictCharField(serializers.CharField):
    """Text given as text; what is too long is looked at no further."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("trim_whitespace", False)
        super().__init__(**options)
        # It asks each character by itself; neither strict JSON nor a form has such text.
        self.validators = [
            validator
            for validator in self.validators
            if not isinstance(validator, ProhibitSurrogateCharactersValidator)
        ]

    @property
    def pattern(self) -> str:
        """What a text must match to be taken."""
        return _MORE_THAN_SPACE if self.trim_whitespace and not self.allow_blank else WITHOUT_NUL

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": NAME_PATTERN})
class NameField(StrictCharField):
    """The name of a stream or a group; whether it will do is for the services to say, in their words."""


class StrictIntegerField(serializers.IntegerField):
    """A whole number given as a JSON integer: no text, no 5.0, no true."""

    default_error_messages = {"out_of_range": "Must be between {low} and {high}."}

    def __init__(self, *, low: int, high: int, **options: Any) -> None:
        super().__init__(min_value=low, max_value=high, **options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        if self.min_value is not None and self.max_value is not None and not self.min_value <= data <= self.max_value:
            self.fail("out_of_range", low=self.min_value, high=self.max_value)
        return data


class StrictBooleanField(serializers.BooleanField):
    """true or false: no "yes", no 1."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=str(data)[:20])
        return data


class StrictDateTimeField(serializers.DateTimeField):
    """RFC 3339 with a zone."""

    default_error_messages = {
        "timezone_required": "A zone is required: 2026-11-22T10:00:00Z.",
        "no_such_moment": "There is no such moment in the years 1 to 9999.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        # Digits of other scripts are digits to Python.
        if not isinstance(value, str) or not 19 <= len(value) <= 40 or not value.isascii() or value[10] not in "Tt ":
            self.fail("invalid", format="2026-11-22T10:00:00Z")
        try:
            moment = parse_datetime(value)
        except ValueError:
            self.fail("no_such_moment")
        if moment is None:
            self.fail("invalid", format="2026-11-22T10:00:00Z")
        if moment.tzinfo is None:
            self.fail("timezone_required")
        try:
            # PostgreSQL knows no zone as far away as Python's farthest.
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("no_such_moment")


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


class StrictListField(serializers.ListField):
    """An array with a bounded number of items, counted before any is looked at."""

    def __init__(self, *, max_length: int, min_length: int | None = None, **options: Any) -> None:
        # The framework's words have elements, and one element too is several.
        messages: dict[str, Any] = {"max_length": f"Give at most {_items(max_length)}."}
        if min_length is not None:
            messages["min_length"] = f"Give at least {_items(min_length)}."
        super().__init__(max_length=max_length, min_length=min_length, error_messages=messages, **options)
        self._most = max_length

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > self._most:
            self.fail("max_length")
        return super().to_internal_value(data)

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        checked: list[Any] = []
        faults: dict[Any, Any] = {}
        for index, item in enumerate(data):
            try:
                checked.append(self.child.run_validation(item))
            except ValidationError as error:
                faults[index] = error.detail
                if len(faults) == MAX_FAULTS:
                    break
        if faults:
            raise ValidationError(faults)
        return checked


class StrictMapField(serializers.DictField):
    """An object with names of the caller's choice and a bounded number of them, counted before any is looked at."""

    default_error_messages = {"too_many": "At most {most} names."}

    def __init__(self, *, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and len(data) > self.most:
            self.fail("too_many", most=self.most)
        return super().to_internal_value(data)


class StrictChoiceField(serializers.ChoiceField):
    """One of some words, given as text."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=str(data)[:40])
        return super().to_internal_value(data)
