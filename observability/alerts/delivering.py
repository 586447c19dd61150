"""One message in the shape of its channel: a signed webhook, what Slack takes, or a mail."""

import time

import orjson

from observability.alerts.posting import Outcome, post_json
from observability.alerts.signing import SecretChanged, checked_secret, sign
from observability.models import AlertNotification


def deliver(notification: AlertNotification) -> Outcome:
    """Send a message once, and return how that went."""
    return post_webhook(notification)


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
