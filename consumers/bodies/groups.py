"""A new group, and what may be changed of one."""

from typing import Any

from accounts.http.fields import (
    NameField,
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
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


def read_new_group(given: Any) -> tuple[str, GroupSettings]:
    """Return the name and the settings of the group that a body or a form describes.

    Raises:
        ValidationError
    """
    body = CreateGroupSerializer.checked(given)
    fields = dict(body.validated_data)
    name, backoff = fields.pop("name"), tuple(fields.pop("backoff_seconds"))
    return name, GroupSettings(**fields, backoff_seconds=backoff)


def read_group_changes(given: Any) -> dict[str, Any]:
    """Return the settings that a body or a form changes, as fields of the model.

    Raises:
        ValidationError
    """
    body = ChangeGroupSerializer.checked(given)
    return dict(body.validated_data)
