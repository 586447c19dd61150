"""One message in the shape of its channel: a signed webhook, what Slack takes, or a mail."""

import logging
import smtplib
import time
from collections.abc import Callable
from typing import Any, Final

import orjson
from django.conf import settings
from django.core.mail import EmailMessage

from observability.alerts.posting import Outcome, post_json
from observability.alerts.signing import SecretChanged, checked_secret, sign
from observability.models import AlertNotification, ChannelKind

logger = logging.getLogger("eventflow.alerts")


def deliver(notification: AlertNotification) -> Outcome:
    """Send a message once, and return how that went."""
    return _WAYS[notification.channel.kind](notification)


def post_webhook(notification: AlertNotification) -> Outcome:
    """Post a message as Standard Webhooks 1.0 say; a receiver tells by its id that it has had it before."""
    channel = notification.channel
    try:
        secret = checked_secret(bytes(channel.secret_seed or b""), channel.secret_mark)
    except SecretChanged:
        return Outcome("The installation's SECRET_KEY has changed, and with it the secret: make the channel anew.")
    body, timestamp = orjson.dumps(notification.content), int(time.time())
    headers = {
        "webhook-id": notification.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id=notification.message_id, timestamp=timestamp, body=body),
    }
    return post_json(channel.target, body, headers)


def post_slack(notification: AlertNotification) -> Outcome:
    """Post a message to an incoming webhook of Slack's, or of what understands the same."""
    return post_json(notification.channel.target, orjson.dumps(slack_message(notification.content)), {})


def slack_message(content: dict[str, Any]) -> dict[str, Any]:
    """Return what Slack takes: a line for notifications, and the same with its link as a block."""
    told = content["data"]
    mark = {"alert.firing": ":red_circle:", "alert.resolved": ":large_green_circle:"}.get(content["type"], ":bell:")
    text = f"{mark} {escape_slack(told['text'])}"
    linked = f"{text} <{told['url']}|Open>" if told.get("url") else text
    return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": linked}}]}


def escape_slack(text: str) -> str:
    """Return text that mentions nobody and links nowhere: Slack's three signs, as Slack wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def send_mail(notification: AlertNotification) -> Outcome:
    """Hand a message to the mail server, under the same Message-ID in every try."""
    if settings.MAIL_SERVER is None:
        return Outcome("This installation sends no e-mail any more: EMAIL_URL is not set.")
    told = notification.content["data"]
    mail = EmailMessage(
        subject=f"[EventFlow] {told['text'].partition(' since ')[0]}"[:150],
        body="\n\n".join(filter(None, [told["text"], told.get("url")])) + "\n",
        to=[notification.channel.target],
        headers={"Message-ID": f"<{notification.message_id}@eventflow>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        code = getattr(error, "smtp_code", None)
        return Outcome(f"The mail server refused it ({code})." if code else "The mail server could not be reached.")
    except ValueError as error:
        # An address, or the server's name, that no mail can be made with.
        logger.warning("a mail cannot be made: %s", error)
        return Outcome("The mail could not be made; the worker's log says why.")
    return Outcome()


_WAYS: Final[dict[str, Callable[[AlertNotification], Outcome]]] = {
    ChannelKind.WEBHOOK: post_webhook,
    ChannelKind.SLACK: post_slack,
    ChannelKind.EMAIL: send_mail,
}
