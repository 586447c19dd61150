"""Making, changing, testing and deleting alert channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import FieldFault, UnusableFields
from accounts.principals import Principal
from accounts.quotas import ALERT_CHANNELS, check_quota, quota_of
from accounts.services.audit import changed, record
from observability.alerts.egress import Refused, check_target
from observability.alerts.messages import make_test
from observability.alerts.signing import make_seed, mark_of, secret_of, shown
from observability.alerts.statements import run
from observability.alerts.targets import UnusableTarget, WebTarget
from observability.conf import ALERT_LEASE_SECONDS, ALERT_TEST_INTERVAL_SECONDS
from observability.errors import AlertChannelInUse, AlertTestUnderWay
from observability.models import AlertChannel, AlertNotification, ChannelKind, Occasion


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel that was just made, with the only copy of its secret, if it has one."""

    channel: AlertChannel
    secret: str | None


@transaction.atomic
def create_channel(*, caller: Caller, owner: Principal, kind: str, name: str, target: str) -> NewChannel:
    """Make a channel; nothing is sent yet.

    Raises:
        UnusableFields: the address.
        QuotaExceeded
    """
    _check_target(caller, kind, target)
    if quota_of(ALERT_CHANNELS) is not None:
        theirs = AlertChannel.objects.filter(owner_id=owner.user_id, owner_team_id=owner.team_id)
        check_quota(ALERT_CHANNELS, owner="The owner", used=theirs.count())
    seed = make_seed() if kind == ChannelKind.WEBHOOK else None
    secret = secret_of(seed) if seed else None
    channel = AlertChannel.objects.create(
        owner_id=owner.user_id,
        owner_team_id=owner.team_id,
        kind=kind,
        name=name,
        target=target,
        secret_seed=seed,
        secret_mark=mark_of(secret) if secret else "",
    )
    record(AuditAction.ALERT_CHANNEL_CREATED, target=str(channel), after=_told(channel))
    return NewChannel(channel, shown(secret) if secret else None)


@transaction.atomic
def change_channel(*, caller: Caller, channel: AlertChannel, changes: Mapping[str, Any]) -> AlertChannel:
    """Give a channel another name or address; its secret stays.

    Raises:
        UnusableFields
    """
    if "target" in changes:
        _check_target(caller, channel.kind, changes["target"])
    before, after = changed(channel, changes)
    for values in (before, after):
        if "target" in values:
            values["target"] = shown_target(channel.kind, values["target"])
    for name, value in changes.items():
        setattr(channel, name, value)
    channel.save(update_fields=[*changes, "updated_at"])
    if "target" in changes:
        # A new address is tried at once, whatever became of the old one.
        channel.failed_in_row = 0
        channel.save(update_fields=["failed_in_row"])
        run("let_messages_go", channel_id=channel.pk, lease_seconds=ALERT_LEASE_SECONDS)
    record(AuditAction.ALERT_CHANNEL_CHANGED, target=str(channel), before=before, after=after)
    return channel


@transaction.atomic
def delete_channel(*, channel: AlertChannel) -> None:
    """Delete a channel that no rule uses, with what was sent to it.

    Raises:
        AlertChannelInUse
    """
    # Nobody adds it to a rule meanwhile: that would lock this row.
    AlertChannel.objects.select_for_update().get(pk=channel.pk)
    count = channel.rules.count()
    if count:
        raise AlertChannelInUse(f"{count} rule{'s' if count != 1 else ''} would tell nobody any more.")
    record(AuditAction.ALERT_CHANNEL_DELETED, target=str(channel), before=_told(channel))
    channel.delete()


@transaction.atomic
def ask_for_test(*, caller: Caller, channel: AlertChannel, now: datetime) -> AlertNotification:
    """Write a message that says that it is a test; it is sent within seconds, and tried once.

    Raises:
        AlertTestUnderWay
    """
    AlertChannel.objects.select_for_update().get(pk=channel.pk)
    since = now - timedelta(seconds=ALERT_TEST_INTERVAL_SECONDS)
    if channel.notifications.filter(occasion=Occasion.TEST, created_at__gt=since).exists():
        raise AlertTestUnderWay(f"Test a channel once in {ALERT_TEST_INTERVAL_SECONDS} seconds.")
    record(AuditAction.ALERT_CHANNEL_TESTED, target=str(channel))
    return make_test(channel, asked_by=caller.email, now=now)


def shown_target(kind: str, target: str) -> str:
    """What may be shown of where a channel leads."""
    return target if kind == ChannelKind.EMAIL else WebTarget.of(target).shown


def _check_target(caller: Caller, kind: str, target: str) -> None:
    if kind == ChannelKind.EMAIL:
        _check_address(caller, target)
        return
    try:
        check_target(WebTarget.of(target))
    except (UnusableTarget, Refused) as refusal:
        raise UnusableFields([FieldFault("/url", "invalid", str(refusal))]) from refusal


def _check_address(caller: Caller, address: str) -> None:
    if settings.MAIL_SERVER is None:
        detail = "This installation sends no e-mail: its operator has to set EMAIL_URL."
        raise UnusableFields([FieldFault("/kind", "email_not_configured", detail)])
    if address.lower() != caller.email.lower() and not caller.sees_everybody:
        detail = "Your own e-mail address, or ask an admin for a channel to another one."
        raise UnusableFields([FieldFault("/address", "not_yours", detail)])


def _told(channel: AlertChannel) -> dict[str, Any]:
    """What the audit trail says of a channel."""
    return {
        "owner": channel.owner_name,
        "kind": channel.kind,
        "name": channel.name,
        "target": shown_target(channel.kind, channel.target),
    }
