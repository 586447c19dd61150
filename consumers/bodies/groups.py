"""A new group, and what may be changed of one."""

from typing import Any

from accounts.bodies import GrantSerializer
from accounts.http.fields import (
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
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
    MAX_MAX_DELIVERIES,
    MAX_MAX_FAILURES,
    MAX_MAX_IN_FLIGHT,
)
from consumers.models import Mode, Ordering, Start
from consumers.services.groups import GroupSettings


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


def read_new_group(given: Any) -> tuple[str, GroupSettings, str | None]:
    """Return the name and the settings of the group that a body or a form describes, and its owner if one is named.

    Raises:
        ValidationError
    """
    body = CreateGroupSerializer.checked(given)
    fields = dict(body.validated_data)
    name, backoff = fields.pop("name"), tuple(fields.pop("backoff_seconds"))
    owner = fields.pop("owner", None)
    return name, GroupSettings(**fields, backoff_seconds=backoff), owner


def read_group_changes(given: Any) -> tuple[dict[str, Any], str | None]:
    """Return the settings that a body or a form changes, as fields of the model, and the new owner if one is named.

    Raises:
        ValidationError
    """
    changes = dict(ChangeGroupSerializer.checked(given).validated_data)
    owner = changes.pop("owner", None)
    return changes, owner


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
