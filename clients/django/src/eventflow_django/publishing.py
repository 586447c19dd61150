"""Publishes: an event becomes a row in the transaction of the change that it tells of."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from django.db import transaction
from django.db.transaction import TransactionManagementError
from eventflow_client import NewEvent, encode_event

from .conf import configuration

# What the server would refuse is refused where somebody can still mend it.
_MAX_EVENT_BYTES: Final = 1_000_000
_MAX_KEY_BYTES: Final = 512
_MAX_CHARACTERS: Final = 128


class NotInTransaction(TransactionManagementError):
    """`publish` was called outside of `transaction.atomic()`: the event would not share the fate of any change."""


def publish(event: NewEvent) -> str:
    """Store an event beside the change that it tells of; the relay appends it to its stream. Return its id.

    It is appended exactly once if the transaction commits, and never if it does not. Events of one key are appended in
    the order in which they were published, as long as their transactions come one after another, which a lock on what
    the key names sees to.

    Raises:
        NotInTransaction
        NotJson: the payload is nothing that JSON can say.
        ValueError: something is larger than the server takes.
    """
    return publish_many([event])[0]


def publish_many(events: Iterable[NewEvent]) -> list[str]:
    """Store events in the order in which they are to be appended, with one statement; return their ids.

    Raises:
        NotInTransaction, NotJson, ValueError
    """
    from .models import OutboxEvent

    database = configuration().database
    if not transaction.get_connection(database).in_atomic_block:
        raise NotInTransaction(
            f"`publish` belongs into the transaction that changes what the event tells of: call it within"
            f" `transaction.atomic(using={database!r})`."
        )
    now = datetime.now(UTC)
    complete = [
        each._replace(id=each.id or str(uuid.uuid4()), occurred_at=each.occurred_at or now, type=each.type or "event")
        for each in events
    ]
    rows = [
        OutboxEvent(event_id=each.id, stream=each.stream, type=each.type, key=each.key, body=_encoded(each))
        for each in complete
    ]
    OutboxEvent.objects.using(database).bulk_create(rows)
    return [row.event_id for row in rows]


def _encoded(event: NewEvent) -> str:
    if event.key is not None and len(event.key.encode()) > _MAX_KEY_BYTES:
        raise ValueError(f"`key` takes {_MAX_KEY_BYTES} bytes at most: {event.key[:100]!r}…")
    for name in ("id", "type", "stream"):
        if len(getattr(event, name)) > _MAX_CHARACTERS:
            raise ValueError(f"`{name}` takes {_MAX_CHARACTERS} characters at most: {getattr(event, name)[:100]!r}…")
    # All that an event says, by name: what is added to events one day goes along.
    content = encode_event(**event._asdict())
    if len(content) > _MAX_EVENT_BYTES:
        raise ValueError(f"An event takes {_MAX_EVENT_BYTES:,} bytes at most; this one has {len(content):,}.")
    return content.decode()
