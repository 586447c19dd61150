"""What the page of alerts shows, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.caller import Caller
from observability.alerts.channels import shown_target
from observability.alerts.queries import (
    last_notifications,
    list_alerts,
    list_channels,
    list_rules,
)
from observability.alerts.wording import say_limit
from observability.models import Alert, AlertChannel, AlertNotification, AlertRule, AlertState
from observability.wording import duration

SHOWN_ALERTS = 50
SHOWN_RULES = 300
STOPPED = {
    "not_visible": "its owner may no longer see that",
    "not_admin": "its owner is no admin any more",
    "owner_disabled": "its owner was disabled",
    "no_channel": "none of its channels is its owner's any more",
}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """Something that was found, and since when or until when."""

    id: int
    what: str
    subject: str
    stream: str
    group: str
    value: str
    limit: str
    state: str
    since: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule in words."""

    id: int
    what: str
    place: str
    limit: str
    times: str
    channels: tuple[str, ...]
    owner: str
    is_paused: bool
    stopped: str


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel, and how the last message to it went."""

    id: int
    name: str
    kind: str
    target: str
    owner: str
    failed_in_row: int
    last: AlertNotification | None


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """All that the page shows; of alerts the newest, and whether there are more."""

    firing: Sequence[AlertRow]
    is_more_firing: bool
    ended: Sequence[AlertRow]
    is_more_ended: bool
    rules: Sequence[RuleRow]
    channels: Sequence[ChannelRow]


def get_alerts_page(caller: Caller) -> AlertsPage:
    """Return what fires and has fired, the rules and the channels that the caller may see, in seven queries."""
    alerts = list_alerts(caller).order_by("-pk")
    firing = alerts.filter(state=AlertState.FIRING)[: SHOWN_ALERTS + 1]
    ended = alerts.exclude(state=AlertState.FIRING)[: SHOWN_ALERTS + 1]
    channels = list(list_channels(caller)[:SHOWN_RULES])
    last = last_notifications(channels)
    return AlertsPage(
        firing=[_row(each) for each in firing][:SHOWN_ALERTS],
        is_more_firing=len(firing) > SHOWN_ALERTS,
        ended=[_row(each) for each in ended][:SHOWN_ALERTS],
        is_more_ended=len(ended) > SHOWN_ALERTS,
        rules=[view_rule(rule) for rule in list_rules(caller)[:SHOWN_RULES]],
        channels=[view_channel(channel, last.get(channel.pk)) for channel in channels],
    )


def count_firing(caller: Caller, *, limit: int) -> int:
    """Count what fires of the caller's rules, up to a limit."""
    return list_alerts(caller).filter(state=AlertState.FIRING).order_by()[:limit].count()


def view_rule(rule: AlertRule) -> RuleRow:
    """Return a rule in words."""
    place = "/".join(each.name for each in (rule.stream, rule.group) if each)
    times = [f"for {duration(rule.for_seconds)}"] if rule.for_seconds else []
    times += [f"again every {duration(rule.repeat_seconds)}"] if rule.repeat_seconds else []
    return RuleRow(
        id=rule.pk,
        what=rule.get_what_display(),
        place=place,
        limit=say_limit(rule.what, rule.threshold),
        times=", ".join(times),
        channels=tuple(channel.name for channel in rule.channels.all()),
        owner=rule.owner_name,
        is_paused=rule.is_paused,
        stopped=STOPPED.get(rule.stopped, ""),
    )


def view_channel(channel: AlertChannel, last: AlertNotification | None = None) -> ChannelRow:
    """Return a channel as far as it may be shown."""
    return ChannelRow(
        id=channel.pk,
        name=channel.name,
        kind=channel.kind,
        target=shown_target(channel.kind, channel.target),
        owner=channel.owner_name,
        failed_in_row=channel.failed_in_row,
        last=last,
    )


def _row(alert: Alert) -> AlertRow:
    stream, _, group = alert.subject.partition("/")
    return AlertRow(
        id=alert.pk,
        what=alert.rule.get_what_display(),
        subject=alert.subject,
        stream=stream,
        group=group,
        value=say_limit(alert.rule.what, int(alert.value)),
        limit=say_limit(alert.rule.what, alert.rule.threshold),
        state=alert.state,
        since=alert.began_at,
        ended_at=alert.ended_at,
    )
