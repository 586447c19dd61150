"""Appends what was published to its streams, until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from eventflow_django.connecting import sending_client
from eventflow_django.relaying import relay_until, relay_what_waits
from eventflow_django.standing import outbox_standing
from eventflow_django.stopping import stop_on_signals


class Command(BaseCommand):
    help = "Append published events to their streams. Ends well on SIGTERM; several may run beside each other."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        with sending_client() as client:
            if options["once"]:
                sent = relay_what_waits(client)
                self.stdout.write(f"{sent} events stored, {outbox_standing().unsent} left")
                return
            with stop_on_signals() as stop:
                relay_until(stop, client)
