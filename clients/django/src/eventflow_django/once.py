"""Effects exactly once: the mark that an event was handled shares the transaction of what handling it changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import IntegrityError, transaction
from eventflow_client import Event

from .conf import configuration
from .registry import RegisteredConsumer

_current: ContextVar[RegisteredConsumer | None] = ContextVar("eventflow_consumer", default=None)


@contextmanager
def working_for(consumer: RegisteredConsumer) -> Iterator[None]:
    """Let `process_once` know for whom a handler works."""
    token = _current.set(consumer)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def process_once(event: Event, *, group: str | None = None, stream: str | None = None) -> Iterator[bool]:
    """Open a transaction, and yield whether the event has not been handled before.

    What is changed within it, in the same database, is committed together with the mark, or not at all. Two processes
    that have the same event at once come one after the other: the second is told that it was handled.

    Args:
        group, stream: for whom; within a handler of `manage.py consume` they are known.

    Raises:
        ValueError: nobody knows for whom.
    """
    from .models import ProcessedEvent

    current = _current.get()
    group = group or (current.group if current else None)
    stream = stream or (current.stream if current else None)
    if group is None or stream is None:
        raise ValueError("Outside of a consumer, `process_once` needs `group` and `stream`.")
    database = configuration().database
    with transaction.atomic(using=database):
        try:
            with transaction.atomic(using=database):
                ProcessedEvent.objects.using(database).create(
                    stream=stream, group=group, partition=event.partition, offset=event.offset, event_id=event.id
                )
            is_new = True
        except IntegrityError:
            is_new = False
        yield is_new
