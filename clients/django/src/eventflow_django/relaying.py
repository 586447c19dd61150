"""The relay as a program: it sends what is due until it is told to stop."""

import logging
import threading

from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from eventflow_client import EventFlow

from .conf import configuration
from .relay import relay_once, send_due

_log = logging.getLogger("eventflow_django")
_PAUSE_AFTER_FAULT_SECONDS = 1.0


def relay_until(stop: threading.Event, client: EventFlow) -> None:
    """Send what is due until `stop` is set; a request that is under way then is finished.

    A database that is away for a while is waited for.
    """
    conf = configuration()
    while not stop.is_set():
        close_old_connections()
        try:
            sent = relay_once(client)
        except (DatabaseError, InterfaceError):
            _log.exception("the outbox cannot be read")
            connections[conf.database].close()
            stop.wait(_PAUSE_AFTER_FAULT_SECONDS)
            continue
        if not sent:
            stop.wait(conf.pause_seconds)


def relay_what_waits(client: EventFlow) -> int:
    """Send until nothing more is due; return how many events were stored. For tests and periodic tasks."""
    total = 0
    while True:
        sent = send_due(client)
        total += sent.stored
        # What was refused fails alone: the others of its request are due.
        if not (sent.stored or sent.has_parted):
            return total
