"""Runs an application's consumers beside each other, until they are told to stop."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import close_old_connections
from eventflow_client import Consumer, EventFlow
from eventflow_client.problems import ConsumerGroupNotFound

from .once import process_once, working_for
from .registry import RegisteredConsumer

_log = logging.getLogger("eventflow_django")


def handler_of(consumer: RegisteredConsumer) -> Callable[[Any], None]:
    """Return the application's function with what it asked for around it."""

    def handle(given: Any) -> None:
        with working_for(consumer):
            if not consumer.once:
                consumer.handler(given)
                return
            with process_once(given) as is_new:
                if is_new:
                    consumer.handler(given)

    return handle


def with_fresh_connections(handle: Callable[[Any], None]) -> Callable[[Any], None]:
    """Do around each call what Django does around a request: a broken connection costs one event an attempt at most."""

    def handle_freshly(given: Any) -> None:
        close_old_connections()
        try:
            handle(given)
        finally:
            close_old_connections()

    return handle_freshly


def make_group(client: EventFlow, consumer: RegisteredConsumer) -> None:
    """Make the consumer's group unless it is there; what it is like then is not changed.

    Raises:
        Problem: no such stream, or no right to make a group of it.
    """
    try:
        client.groups.get(consumer.stream, consumer.group)
    except ConsumerGroupNotFound:
        client.groups.create(consumer.stream, consumer.group, **consumer.group_settings)


def run_consumers(consumers: Sequence[RegisteredConsumer], client: EventFlow, stop: threading.Event) -> list[Exception]:
    """Run them in threads until `stop` is set, or until one of them cannot go on; return why, for each that could not.

    What is begun is finished, and the rest is given back.
    """
    errors: list[Exception] = []
    running = [_made(client, each) for each in consumers]

    def run(registered: RegisteredConsumer, found: Consumer) -> None:
        try:
            make_group(client, registered)
            found.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, a program that ends well would not be looked at
            _log.exception("%s cannot go on", registered.name)
            errors.append(error)
        finally:
            # One that is missing is not noticed among others that work: whoever watches the program starts all anew.
            stop.set()

    threads = [
        threading.Thread(target=run, args=pair, name=f"eventflow-{pair[0].name}")
        for pair in zip(consumers, running, strict=True)
    ]
    for thread in threads:
        thread.start()
    # With a bound, so that a signal is noticed on every platform.
    while not stop.wait(1.0):
        pass
    for each in running:
        each.stop()
    for thread in threads:
        thread.join()
    return errors


def _made(client: EventFlow, consumer: RegisteredConsumer) -> Consumer:
    handler = with_fresh_connections(handler_of(consumer))
    if consumer.is_batched:
        return client.consumer(consumer.stream, consumer.group, batch_handler=handler, settings=consumer.settings)
    return client.consumer(consumer.stream, consumer.group, handler, settings=consumer.settings)
