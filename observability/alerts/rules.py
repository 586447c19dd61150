"""Making, changing and deleting alert rules. Nothing is looked at here: the next tick does."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import FieldFault, ScopeMissing, UnusableFields
from accounts.principals import Principal
from accounts.quotas import ALERT_RULES, check_quota, quota_of
from accounts.roles import Right
from accounts.services.audit import changed, record
from consumers.queries import get_group
from observability.alerts.channels import ask_for_test
from observability.alerts.kinds import KINDS, Scope
from observability.alerts.queries import list_usable_channels
from observability.models import AlertChannel, AlertNotification, AlertRule
from streams.lookup import require_stream


@dataclass(frozen=True, slots=True)
class NewRule:
    """What somebody wants to be told of; without a stream of all that they may see, by the time it is looked at."""

    what: str
    stream: str | None
    group: str | None
    threshold: int
    for_seconds: int
    repeat_seconds: int
    is_paused: bool
    channel_ids: tuple[int, ...]


@transaction.atomic
def create_rule(*, caller: Caller, owner: Principal, new: NewRule) -> AlertRule:
    """Make a rule about what the caller may see.

    Raises:
        StreamNotFound, ConsumerGroupNotFound, ScopeMissing: not for this caller.
        UnusableFields: the threshold, the channels, or a stream or group where there can be none.
        QuotaExceeded
    """
    faults = [*_faults_of_place(new), *_faults_of_threshold(new.what, new.threshold)]
    if faults:
        raise UnusableFields(faults)
    stream_id, group_id = _find_place(caller, new)
    channels = _find_channels(caller, owner, new.channel_ids)
    if quota_of(ALERT_RULES) is not None:
        theirs = AlertRule.objects.filter(owner_id=owner.user_id, owner_team_id=owner.team_id)
        check_quota(ALERT_RULES, owner="The owner", used=theirs.count())
    rule = AlertRule.objects.create(
        owner_id=owner.user_id,
        owner_team_id=owner.team_id,
        what=new.what,
        stream_id=stream_id,
        group_id=group_id,
        threshold=new.threshold,
        for_seconds=new.for_seconds,
        repeat_seconds=new.repeat_seconds,
        is_paused=new.is_paused,
    )
    rule.channels.set(channels)
    record(AuditAction.ALERT_RULE_CREATED, **_place_of(rule), target=str(rule), after=_told(rule, channels))
    return rule


@transaction.atomic
def change_rule(*, caller: Caller, rule: AlertRule, changes: Mapping[str, Any]) -> AlertRule:
    """Change how much is too much, for how long, where it is said, or whether it is looked at.

    Raises:
        UnusableFields
    """
    fields = dict(changes)
    channel_ids = fields.pop("channel_ids", None)
    if faults := _faults_of_threshold(rule.what, fields.get("threshold", rule.threshold)):
        raise UnusableFields(faults)
    before, after = changed(rule, fields)
    if channel_ids is not None:
        channels = _find_channels(caller, rule.owned_by, channel_ids)
        before["channels"], after["channels"] = sorted(each.pk for each in rule.channels.all()), sorted(channel_ids)
        rule.channels.set(channels)
    for name, value in fields.items():
        setattr(rule, name, value)
    rule.save(update_fields=[*fields, "updated_at"])
    record(AuditAction.ALERT_RULE_CHANGED, **_place_of(rule), target=str(rule), before=before, after=after)
    return rule


@transaction.atomic
def ask_for_tests(*, caller: Caller, rule: AlertRule, now: datetime) -> list[AlertNotification]:
    """Test each channel of a rule, in the order of their ids.

    Raises:
        AlertTestUnderWay: one of them was tested a moment ago.
    """
    channels = sorted(rule.channels.all(), key=lambda channel: channel.pk)
    return [ask_for_test(caller=caller, channel=channel, now=now) for channel in channels]


@transaction.atomic
def delete_rule(*, rule: AlertRule) -> None:
    """Delete a rule with all that it has found."""
    before = _told(rule, rule.channels.all())
    record(AuditAction.ALERT_RULE_DELETED, **_place_of(rule), target=str(rule), before=before)
    rule.delete()


def _faults_of_place(new: NewRule) -> list[FieldFault]:
    scope = KINDS[new.what].scope
    if scope is Scope.INSTALLATION and new.stream is not None:
        return [FieldFault("/stream", "not_possible", f"{new.what} is of the whole installation: leave it out.")]
    if scope is not Scope.GROUP and new.group is not None:
        return [FieldFault("/group", "not_possible", f"{new.what} is not of a group: leave it out.")]
    if new.group is not None and new.stream is None:
        return [FieldFault("/stream", "required", "Name the stream of the group.")]
    return []


def _faults_of_threshold(what: str, threshold: int) -> list[FieldFault]:
    kind = KINDS[what]
    if kind.low <= threshold <= kind.high:
        return []
    return [FieldFault("/threshold", "out_of_range", f"For {what} it is {kind.low} to {kind.high}.")]


def _find_place(caller: Caller, new: NewRule) -> tuple[int | None, int | None]:
    scope = KINDS[new.what].scope
    if scope is Scope.INSTALLATION and not caller.sees_everybody:
        raise ScopeMissing(f"{new.what} is of the whole installation: that is for admins.")
    if new.stream is None:
        return None, None
    stream = require_stream(caller, new.stream, Right.CONSUME if scope is Scope.GROUP else None)
    return stream.id, get_group(stream, new.group).pk if new.group is not None else None


def _find_channels(caller: Caller, owner: Principal, channel_ids: Collection[int]) -> list[AlertChannel]:
    channels = list(list_usable_channels(caller, owner).filter(pk__in=channel_ids))
    if unknown := set(channel_ids) - {channel.pk for channel in channels}:
        detail = f"No channel {min(unknown)} that rules of this owner can use: it must be theirs, or their team's."
        raise UnusableFields([FieldFault("/channels", "alert_channel_not_found", detail)])
    return channels


def _place_of(rule: AlertRule) -> dict[str, Any]:
    return {
        "stream": (rule.stream.pk, rule.stream.name) if rule.stream else None,
        "group": (rule.group.pk, rule.group.name) if rule.group else None,
    }


def _told(rule: AlertRule, channels: Collection[AlertChannel]) -> dict[str, Any]:
    """What the audit trail says of a rule."""
    return {
        "owner": rule.owner_name,
        "threshold": rule.threshold,
        "for_seconds": rule.for_seconds,
        "repeat_seconds": rule.repeat_seconds,
        "is_paused": rule.is_paused,
        "channels": sorted(channel.pk for channel in channels),
    }
