"""What the shop is made to do in processes of its own: `python programs.py NAME …`."""

import random
import sys
import time

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402 - not before Django is set up
from eventflow_client import ConsumerSettings  # noqa: E402
from eventflow_django import Event, NewEvent, consumer, publish  # noqa: E402
from orders.models import Order  # noqa: E402
from orders.services import place_order  # noqa: E402


def publish_events(stream: str, count: str, pause: str = "0") -> None:
    """Publish 0, 1, 2 … in transactions of a few, with seven keys; each transaction in between rolls back."""
    number = 0
    while number < int(count):
        with transaction.atomic():
            for _ in range(min(random.randrange(1, 6), int(count) - number)):
                publish(NewEvent(stream, number, key=f"k{number % 7}"))
                number += 1
        with transaction.atomic():
            publish(NewEvent(stream, "never happened", key="k0"))
            transaction.set_rollback(True)
        time.sleep(float(pause))


def place_orders(count: str) -> None:
    for number in range(int(count)):
        place_order(customer=f"c{number % 7}", cents=number + 1)


def consume_slowly(stream: str) -> None:
    """Consume with a handler that takes a second, and says when it begins and ends."""

    @consumer("slow", stream=stream, settings=ConsumerSettings(wait_seconds=1))
    def handle(event: Event) -> None:
        print("begun", event.payload, flush=True)
        time.sleep(1)
        print("ended", event.payload, flush=True)

    call_command("consume", f"{stream}/slow")


def consume_in_order(stream: str, on_failure: str) -> None:
    """Consume in offset mode; `bad` cannot be handled."""

    @consumer("reader", stream=stream, mode="offset", once=True, settings=_offset_settings(on_failure))
    def handle(event: Event) -> None:
        Order.objects.create(customer=f"{stream} {event.payload}", cents=event.offset)
        if event.payload == "bad":
            raise ValueError("nobody can handle this")

    call_command("consume", f"{stream}/reader")


def _offset_settings(on_failure: str) -> ConsumerSettings:
    return ConsumerSettings(wait_seconds=1, max_events=10, on_failure="stop" if on_failure == "stop" else "park")


def consume_with_a_slip(stream: str) -> None:
    """Consume as a group that is to be made with a setting that no group has."""
    consumer("slip", stream=stream, ack_weight=10)(print)
    call_command("consume", f"{stream}/slip")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
