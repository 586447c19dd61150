"""A worker that runs mirrors as a program of its own, which can really die and hang.

`python -m tests.kafka.mirror_process '{"dies_at": "sent", "after": 3}'` takes what mirrors are free, again and again,
until it is killed; it writes a line when it begins, and one for each that it took. Its times are short ones, in the
proportions of the real ones.
"""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

from tests.kafka.cluster import KafkaCluster
from tests.kafka.engines import options_of
from tests.streams.log.appending import process_environment

LEASE_SECONDS = 4.0
COPY_TIMEOUT_MS = 1_600


def start(cluster: KafkaCluster, prefix: str, **options: Any) -> "subprocess.Popen[str]":
    """Start one, and return when it is up."""
    kafka = options_of(cluster, prefix)
    engines = {
        "kafka-main": {
            "ENGINE": "streams.log.kafka",
            "OPTIONS": {
                "bootstrap_servers": kafka.bootstrap_servers,
                "topic_prefix": kafka.topic_prefix,
                "replication_factor": kafka.replication_factor,
                "min_in_sync_replicas": kafka.min_in_sync_replicas,
            },
        }
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **process_environment(),
            "DJANGO_SETTINGS_MODULE": "eventflow_site.settings",
            "EVENTFLOW_ENGINES": json.dumps(engines),
        },
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def hasten() -> None:
    """Make times short, before whoever goes by them is imported."""
    from streams import conf
    from streams.log.kafka import client_settings

    conf.MIRROR_LEASE_SECONDS = LEASE_SECONDS  # type: ignore[misc]
    conf.MIRROR_RENEW_SECONDS = LEASE_SECONDS * 0.65  # type: ignore[misc]
    conf.MIRROR_MARGIN_SECONDS = LEASE_SECONDS * 0.1  # type: ignore[misc]
    conf.MIRROR_GLANCE_SECONDS = 0.2  # type: ignore[misc]
    # Small steps, so that there are many moments to die at.
    conf.MIRROR_STEP_EVENTS = 40  # type: ignore[misc]
    client_settings.COPY_TIMEOUT_MS = COPY_TIMEOUT_MS  # type: ignore[misc]
    client_settings.COPY_PRODUCER_FIXED = {  # type: ignore[misc]
        **client_settings.COPY_PRODUCER_FIXED,
        "message.timeout.ms": COPY_TIMEOUT_MS,
    }


def die_at(moment: str, *, after: int) -> None:
    """Kill this process when it has sent and not written down (`sent`), or has written down (`written`), so often."""
    run: Any = import_module("streams.services.mirroring.run")
    advance, steps = run.advance, 0

    def advance_or_die(lease: Any, news: Any) -> None:
        nonlocal steps
        steps += any(each.copied for each in news)
        if moment == "sent" and steps > after:
            os.kill(os.getpid(), signal.SIGKILL)
        advance(lease, news)
        if moment == "written" and steps > after:
            os.kill(os.getpid(), signal.SIGKILL)

    run.advance = advance_or_die


def main() -> None:
    options = json.loads(sys.argv[1])
    hasten()
    import django

    django.setup()
    from streams.services.mirroring.running import run_mirrors

    if "dies_at" in options:
        die_at(options["dies_at"], after=options["after"])
    print("ready", flush=True)
    while True:
        if taken := run_mirrors():
            print("took", taken, flush=True)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
