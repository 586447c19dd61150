"""EventFlow in a Django application: `publish` within a transaction, `@consumer` for what comes."""

from eventflow_client import ConsumerSettings, Event, GiveUp, NewEvent, SomeFailed, TryLater

from .once import process_once
from .publishing import NotInTransaction, publish, publish_many
from .registry import consumer
from .standing import OutboxStanding, outbox_standing

__all__ = [
    "ConsumerSettings",
    "Event",
    "GiveUp",
    "NewEvent",
    "NotInTransaction",
    "OutboxStanding",
    "SomeFailed",
    "TryLater",
    "consumer",
    "outbox_standing",
    "process_once",
    "publish",
    "publish_many",
]
