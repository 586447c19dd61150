"""The messages about alerts, as rows to be sent: written in the transaction of what they tell of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from uuid_utils import uuid7

from observability.alerts.owners import callers_of, may_use_channel
from observability.alerts.wording import say_firing, say_resolved, say_test
from observability.models import Alert, AlertChannel, AlertNotification, Occasion
from streams.times import format_time


def queue_messages(transitions: Sequence[tuple[int, str, int]], *, now: datetime) -> None:
    """Write a message for each of these (alert's id, occasion, number) and each channel of its rule."""
    if not transitions:
        return
    ids = {alert_id for alert_id, _, _ in transitions}
    rows = Alert.objects.filter(pk__in=ids).select_related("rule__stream", "rule__group")
    alerts = {alert.pk: alert for alert in rows.prefetch_related("rule__channels")}
    callers = callers_of([alert.rule for alert in alerts.values()])
    AlertNotification.objects.bulk_create(
        [
            _row(channel, content_of(alert, occasion, number, now=now), now, occasion, alert=alert, number=number)
            for alert, occasion, number in ((alerts[pk], occasion, number) for pk, occasion, number in transitions)
            for channel in alert.rule.channels.all()
            if (caller := callers.get(alert.rule.owned_by))
            and may_use_channel(caller, alert.rule.owned_by, channel.owned_by)
        ],
        ignore_conflicts=True,
    )


def make_test(channel: AlertChannel, *, asked_by: str, now: datetime) -> AlertNotification:
    """Write a message that says that it is a test; it is tried once."""
    text = say_test(channel=channel.name, asked_by=asked_by)
    content = {"type": "alert.test", "timestamp": _time(now), "data": {"text": text, "url": _link("alerts")}}
    row = _row(channel, content, now, Occasion.TEST)
    row.save()
    return row


def content_of(alert: Alert, occasion: str, number: int, *, now: datetime) -> dict[str, Any]:
    """What a message says, in the shape that Standard Webhooks propose; the same in every try."""
    rule = alert.rule
    said: dict[str, Any] = {
        "what": rule.what,
        "subject": alert.subject,
        "threshold": rule.threshold,
        "since": alert.began_at,
    }
    text = (
        say_resolved(value=alert.value, until=now, **said)
        if occasion == Occasion.RESOLVED
        else say_firing(value=alert.value, **said)
    )
    stream, _, group = alert.subject.partition("/")
    return {
        "type": f"alert.{'resolved' if occasion == Occasion.RESOLVED else 'firing'}",
        "timestamp": _time(now),
        "data": {
            "alert_id": alert.pk,
            "rule_id": rule.pk,
            "what": rule.what,
            "stream": stream or None,
            "group": group or None,
            "value": round(alert.value, 3),
            "threshold": rule.threshold,
            "since": _time(alert.began_at),
            "repetition": number,
            "text": text,
            "url": link_to(stream, group),
        },
    }


def link_to(stream: str, group: str) -> str | None:
    """The page of what an alert is about."""
    if group:
        return _link(f"streams/{quote(stream)}/consumer-groups/{quote(group)}")
    return _link(f"streams/{quote(stream)}" if stream else "")


def _link(path: str) -> str | None:
    """An address for people, if the installation knows its own."""
    return f"{settings.PUBLIC_URL}/{path}" if settings.PUBLIC_URL else None


def _row(
    channel: AlertChannel,
    content: dict[str, Any],
    now: datetime,
    occasion: str,
    *,
    alert: Alert | None = None,
    number: int = 0,
) -> AlertNotification:
    return AlertNotification(
        channel=channel,
        alert=alert,
        occasion=occasion,
        number=number,
        message_id=f"msg_{uuid7().hex}",
        content=content,
        next_attempt_at=now,
        created_at=now,
    )


def _time(moment: datetime) -> str:
    return format_time(moment).decode()
