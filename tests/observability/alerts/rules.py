"""Builders of alert channels and rules, and looking at rules as the worker does."""

from datetime import timedelta
from typing import Any

from django.db.models import F

from accounts.models import User
from observability.alerts.channels import create_channel
from observability.alerts.rules import NewRule, create_rule
from observability.models import Alert, AlertChannel, AlertNotification, AlertRule
from observability.tasks import look_at_alert_rules


def make_channel(owner: User, **fields: Any) -> AlertChannel:
    defaults = {"kind": "webhook", "name": "on call", "target": "https://receiver.example/hook"}
    caller = owner.as_caller()
    owned_by = fields.pop("owned_by", caller.principal)
    return create_channel(caller=caller, owner=owned_by, **{**defaults, **fields}).channel


def make_rule(owner: User, what: str, *channels: AlertChannel, owned_by: Any = None, **fields: Any) -> AlertRule:
    owned = owned_by or owner.as_caller().principal
    channels = channels or (make_channel(owner, owned_by=owned),)
    defaults = {
        "stream": None, "group": None, "threshold": 1, "for_seconds": 0, "repeat_seconds": 0, "is_paused": False,
    }  # fmt: skip
    new = NewRule(what=what, channel_ids=tuple(each.pk for each in channels), **{**defaults, **fields})
    return create_rule(caller=owner.as_caller(), owner=owned, new=new)


def look() -> list[tuple[str, str]]:
    """Let the worker look at the rules once; return occasion and subject of the messages that this wrote."""
    before = set(AlertNotification.objects.values_list("pk", flat=True))
    look_at_alert_rules()
    new = AlertNotification.objects.exclude(pk__in=before).order_by("pk").select_related("alert")
    return [(each.occasion, each.alert.subject) for each in new]


def let_pass(seconds: int) -> None:
    """Move all alerts into the past: the database's clock goes on by itself."""
    ago = timedelta(seconds=seconds)
    Alert.objects.update(began_at=F("began_at") - ago, last_told_at=F("last_told_at") - ago)


def texts() -> list[str]:
    return [each.content["data"]["text"] for each in AlertNotification.objects.order_by("pk")]
