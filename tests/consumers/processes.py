"""Consumers and movers as programs of their own, which can really die.

`python -m tests.consumers.processes consume GROUP '{"poison": [321], …}'` leases and acks until there is nothing
left, and kills itself at a poison event; it writes a line for each event that it processed. `… move GROUP '{}'`
takes back leases and moves exhausted deliveries until it is killed; it writes how many it moved, where there were any.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.forked import Forked
from tests.streams.log.appending import process_environment


def start(
    verb: str, group_id: int, *, environment: Mapping[str, str] = MappingProxyType({}), **options: Any
) -> "Forked | subprocess.Popen[str]":
    """Start one: where its environment is not the others', a Python of its own, otherwise a fork."""
    arguments = (verb, str(group_id), json.dumps(options))
    if not environment:
        return Forked(__name__, *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**process_environment(), "DJANGO_SETTINGS_MODULE": "eventflow_site.settings", **environment},
    )


def consume(group: Any, *, poison: list[int], max_events: int = 500, idle_seconds: float = 1.5) -> None:
    from consumers.services.leasing import Ack, ack_deliveries, lease_deliveries
    from tests.consumers.leases import info, offsets

    while True:
        leased = lease_deliveries(
            stream=info(group),
            group=group,
            consumer=f"process-{os.getpid()}",
            max_events=max_events,
            ack_wait_seconds=0.3,
            wait_seconds=idle_seconds,
        )
        if not leased.deliveries:
            return
        for delivery in leased.deliveries:
            for offset in offsets([delivery]):
                if offset in poison:
                    print("died", offset, flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
                print("did", offset, flush=True)
            ack_deliveries(group=group, acks=[Ack(delivery.id, delivery.token)])


def consume_in_turn(group: Any, *, idle_seconds: float) -> None:
    """Lease and ack, and fail now and then; write from when to when each event was in these hands, and if it was acked.

    The clock is the machine's, which all its processes share. What is written lies within the time between lease and ack.
    """
    import random

    from consumers.services.leasing import Ack, Nack, ack_deliveries, lease_deliveries, nack_deliveries
    from tests.consumers.leases import info, offsets

    luck = random.Random(os.getpid())
    while True:
        leased = lease_deliveries(
            stream=info(group),
            group=group,
            consumer=f"process-{os.getpid()}",
            max_events=10,
            ack_wait_seconds=2,
            wait_seconds=idle_seconds,
        )
        taken_at = time.monotonic()
        if not leased.deliveries:
            return
        for delivery in leased.deliveries:
            time.sleep(luck.uniform(0, 0.002))
            is_done, given_at = luck.random() < 0.9, time.monotonic()
            if is_done:
                (said,) = ack_deliveries(group=group, acks=[Ack(delivery.id, delivery.token)])
            else:
                (said,) = nack_deliveries(group=group, nacks=[Nack(delivery.id, delivery.token, delay_seconds=0.0)])
            for offset in offsets([delivery]):
                print("held", delivery.partition, offset, taken_at, given_at, said.result.value, flush=True)


def move(group: Any) -> None:
    from consumers.services.reconcile import reconcile_deliveries

    print("ready", flush=True)
    while True:
        if moved := reconcile_deliveries():
            print("moved", moved, flush=True)


def main() -> None:
    import django

    django.setup()
    from consumers.models import ConsumerGroup

    verb, group_id, options = sys.argv[1:]
    group = ConsumerGroup.objects.select_related("stream").get(pk=int(group_id))
    if verb == "consume":
        consume(group, **json.loads(options))
    elif verb == "consume_in_turn":
        consume_in_turn(group, **json.loads(options))
    else:
        move(group)
    from streams.log import close_log

    close_log()


if __name__ == "__main__":
    main()
