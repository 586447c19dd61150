"""What the shop is made to do in processes of its own: `python programs.py NAME …`."""

import random
import sys
import time

import django

django.setup()

from django.db import transaction  # noqa: E402 - not before Django is set up
from eventflow_django import NewEvent, publish  # noqa: E402


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


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
