"""Sending what is due: each message is taken, sent, and marked; whoever dies in between has it sent again.

Taking and marking are short transactions, and nothing is held while a receiver makes up its mind. A message that was
sent and not marked goes out again under the same id: at least once, and a receiver that remembers ids sees it once.
"""

import logging
import threading
import time

from django.db import transaction
from django.db.models import F

from observability.alerts.delivering import deliver
from observability.alerts.metrics import count_message
from observability.alerts.posting import Outcome
from observability.alerts.statements import run
from observability.conf import ALERT_BACKOFF_SECONDS, ALERT_GIVE_UP_SECONDS, ALERT_LEASE_SECONDS
from observability.models import AlertChannel, AlertNotification, AlertState, NotificationStatus, Occasion

logger = logging.getLogger("eventflow.alerts")


# Receivers that do not answer keep a thread of the worker busy: one, and not those that carry the other ticks.
_sending = threading.Lock()


def send_due(*, seconds: float) -> int:
    """Send what is due, and begin no message after `seconds`; return how many were sent: 0 while a tick before sends.

    Other workers may send at the same time: each message is one's.
    """
    if not _sending.acquire(blocking=False):
        return 0
    try:
        return send_until(time.monotonic() + seconds)
    finally:
        _sending.release()


def send_until(deadline: float) -> int:
    """Send what is due, one message after the other, and begin none after the deadline; return how many were sent."""
    sent = 0
    while time.monotonic() < deadline:
        taken = run("take_message", lease_seconds=ALERT_LEASE_SECONDS)
        if not taken:
            break
        sent += _send(taken[0][0])
    return sent


def _send(notification_id: int) -> int:
    found = AlertNotification.objects.select_related("channel", "alert").filter(pk=notification_id).first()
    if found is None:
        # The channel or the rule was deleted since.
        return 0
    if found.alert is not None and found.alert.state == AlertState.STOPPED:
        # It may say what its owner may no longer see.
        outcome = Outcome("The alert was stopped before it could be sent.", is_final=True)
    else:
        outcome = deliver(found)
    if outcome.is_sent:
        _note_sent(found)
    else:
        _note_failed(found, outcome)
    return int(outcome.is_sent)


@transaction.atomic
def _note_sent(notification: AlertNotification) -> None:
    channel = _hold(notification.channel_id)
    run("mark_message", id=notification.pk, status=NotificationStatus.SENT.value, error="")
    if channel is not None and channel.failed_in_row:
        AlertChannel.objects.filter(pk=channel.pk).update(failed_in_row=0)
        run("let_messages_go", channel_id=channel.pk, lease_seconds=ALERT_LEASE_SECONDS)
    count_message(notification.channel.kind, "sent")


@transaction.atomic
def _note_failed(notification: AlertNotification, outcome: Outcome) -> None:
    channel = _hold(notification.channel_id)
    is_given_up = channel is None or outcome.is_final or notification.occasion == Occasion.TEST
    if channel is None or is_given_up:
        run("mark_message", id=notification.pk, status=NotificationStatus.FAILED.value, error=outcome.error)
    else:
        # All that waits for this channel waits: a receiver that is away costs one try each time, not one a message.
        backoff = ALERT_BACKOFF_SECONDS[min(channel.failed_in_row, len(ALERT_BACKOFF_SECONDS) - 1)]
        AlertChannel.objects.filter(pk=channel.pk).update(failed_in_row=F("failed_in_row") + 1)
        ((is_given_up,),) = run(
            "put_messages_off",
            channel_id=channel.pk,
            id=notification.pk,
            error=outcome.error,
            retry_seconds=backoff,
            give_up_seconds=ALERT_GIVE_UP_SECONDS,
        )
    count_message(notification.channel.kind, "given_up" if is_given_up else "failed")
    logger.warning(
        "a message about an alert was not sent",
        extra={"message_id": notification.message_id, "why": outcome.error, "for_good": bool(is_given_up)},
    )


def _hold(channel_id: int) -> AlertChannel | None:
    """Lock the channel, and with it all that waits for it; None if it was deleted meanwhile."""
    return AlertChannel.objects.select_for_update(no_key=True, of=("self",)).filter(pk=channel_id).first()
