"""A new group, and what may be changed of one."""

from typing import Any

from rest_framework.exceptions import ValidationError

from accounts.bodies import GrantSerializer
from accounts.http.fields import (
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
    StrictMapField,
    StrictSerializer,
)
from consumers.access import GroupRight
from consumers.conf import (
    DEFAULT_ACK_WAIT_SECONDS,
    DEFAULT_BACKOFF_SECONDS,
    DEFAULT_MAX_FAILURES,
    DEFAULT_MAX_IN_FLIGHT,
    MAX_ACK_WAIT_SECONDS,
    MAX_BACKOFF_ENTRIES,
    MAX_BACKOFF_SECONDS,
    MAX_FILTER_TYPES,
    MAX_MAX_DELIVERIES,
    MAX_MAX_FAILURES,
    MAX_MAX_IN_FLIGHT,
)
from consumers.filters import as_stored
from consumers.models import Mode, Ordering, Start
from consumers.services.groups import GroupSettings
from streams.bodies import TypeField
from streams.conf import MAX_HEADER_BYTES, MAX_HEADERS


class FilterSerializer(StrictSerializer):
    """Which events a group is given: of one of these types, and with all of these headers; the others are finished."""

    types = StrictListField(child=TypeField(), max_length=MAX_FILTER_TYPES, required=False)
    headers = StrictMapField(
        child=StrictCharField(max_length=MAX_HEADER_BYTES, allow_blank=True), most=MAX_HEADERS, required=False
    )

    def validate_headers(self, headers: dict[str, str]) -> dict[str, str]:
        # As in an event: what no event can have would let nothing through.
        sizes = (len(name.encode()) + len(value.encode()) for name, value in headers.items())
        if "" in headers or any(size > MAX_HEADER_BYTES for size in sizes):
            raise ValidationError(f"A header has a name, and at most {MAX_HEADER_BYTES} bytes with it.", code="invalid")
        # A form may have what strict JSON is refused for before any field is looked at.
        if any("\x00" in name for name in headers):
            raise ValidationError("The name of a header must not contain NUL.", code="invalid")
        return headers


class ChangeGroupSerializer(StrictSerializer):
    ack_wait = StrictIntegerField(low=1, high=MAX_ACK_WAIT_SECONDS, required=False, source="ack_wait_seconds")
    max_failures = StrictIntegerField(low=1, high=MAX_MAX_FAILURES, required=False)
    max_deliveries = StrictIntegerField(low=2, high=MAX_MAX_DELIVERIES, required=False)
    backoff = StrictListField(
        child=StrictIntegerField(low=0, high=MAX_BACKOFF_SECONDS),
        min_length=1,
        max_length=MAX_BACKOFF_ENTRIES,
        required=False,
        source="backoff_seconds",
    )
    ordering = StrictChoiceField(choices=Ordering.values, required=False)
    max_in_flight = StrictIntegerField(low=1, high=MAX_MAX_IN_FLIGHT, required=False)
    paused = StrictBooleanField(required=False, source="is_paused")
    filter = FilterSerializer(
        required=False,
        allow_null=True,
        help_text="What it is given; null: everything. What was passed by stays passed.",
    )
    owner = StrictCharField(
        max_length=254,
        required=False,
        help_text="E-mail address of a user, or name of a team: yours, unless you are an admin.",
    )


class CreateGroupSerializer(ChangeGroupSerializer):
    name = NameField()
    mode = StrictChoiceField(choices=Mode.values, default=Mode.OFFSET.value)
    start = StrictChoiceField(choices=Start.values, default=Start.EARLIEST.value)
    ack_wait = StrictIntegerField(
        low=1, high=MAX_ACK_WAIT_SECONDS, default=DEFAULT_ACK_WAIT_SECONDS, source="ack_wait_seconds"
    )
    max_failures = StrictIntegerField(low=1, high=MAX_MAX_FAILURES, default=DEFAULT_MAX_FAILURES)
    backoff = StrictListField(
        child=StrictIntegerField(low=0, high=MAX_BACKOFF_SECONDS),
        min_length=1,
        max_length=MAX_BACKOFF_ENTRIES,
        default=list(DEFAULT_BACKOFF_SECONDS),
        source="backoff_seconds",
    )
    ordering = StrictChoiceField(choices=Ordering.values, default=Ordering.NONE.value)
    max_in_flight = StrictIntegerField(low=1, high=MAX_MAX_IN_FLIGHT, default=DEFAULT_MAX_IN_FLIGHT)
    paused = StrictBooleanField(default=False, source="is_paused")
    filter = FilterSerializer(allow_null=True, default=None, help_text="What it is given; null: everything.")


def read_new_group(given: Any) -> tuple[str, GroupSettings, str | None]:
    """Return the name and the settings of the group that a body or a form describes, and its owner if one is named.

    Raises:
        ValidationError
    """
    body = CreateGroupSerializer.checked(given)
    fields = dict(body.validated_data)
    name, backoff = fields.pop("name"), tuple(fields.pop("backoff_seconds"))
    owner = fields.pop("owner", None)
    fields["filter"] = as_stored(fields["filter"])
    return name, GroupSettings(**fields, backoff_seconds=backoff), owner


def read_group_changes(given: Any) -> tuple[dict[str, Any], str | None]:
    """Return the settings that a body or a form changes, as fields of the model, and the new owner if one is named.

    Raises:
        ValidationError
    """
    changes = dict(ChangeGroupSerializer.checked(given).validated_data)
    owner = changes.pop("owner", None)
    if "filter" in changes:
        changes["filter"] = as_stored(changes["filter"])
    return changes, owner


def read_filter(given: Any) -> dict[str, Any] | None:
    """Return a filter as it is kept.

    Raises:
        ValidationError
    """
    return as_stored(FilterSerializer.checked({} if given is None else given).validated_data)


class GrantGroupSerializer(GrantSerializer):
    rights = StrictListField(
        child=StrictChoiceField(choices=[right.value for right in GroupRight]), min_length=1, max_length=2
    )


def read_group_grant(given: Any) -> tuple[dict[str, str | None], list[GroupRight]]:
    """Return whom a body names, as arguments of `find_grantee`, and the rights to give them.

    Raises:
        ValidationError
    """
    fields = GrantGroupSerializer.checked(given).validated_data
    return {"user": fields.get("user"), "team": fields.get("team")}, [GroupRight(right) for right in fields["rights"]]
