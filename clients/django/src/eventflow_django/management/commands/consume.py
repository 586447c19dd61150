"""Runs the consumers of the application, until it is told to stop."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventflow_django.connecting import consuming_client
from eventflow_django.consuming import run_consumers
from eventflow_django.registry import RegisteredConsumer, registered_consumers
from eventflow_django.stopping import stop_on_signals


class Command(BaseCommand):
    help = "Run the functions marked with @consumer. On SIGTERM what is begun is finished, and the rest given back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="stream/group", help="only these; otherwise all there are")

    def handle(self, *args: Any, **options: Any) -> None:
        consumers = _chosen(options["names"])
        connections = sum(each.settings.concurrency + 3 for each in consumers)
        with stop_on_signals() as stop, consuming_client(connections) as client:
            self.stdout.write(f"consuming: {', '.join(each.name for each in consumers)}")
            self.stdout.flush()
            errors = run_consumers(consumers, client, stop)
        if errors:
            raise CommandError("\n".join(str(error) or type(error).__name__ for error in errors))


def _chosen(names: list[str]) -> list[RegisteredConsumer]:
    known = {each.name: each for each in registered_consumers()}
    if unknown := sorted(set(names) - set(known)):
        raise CommandError(f"Nobody consumes as {', '.join(unknown)}; there are: {', '.join(known) or 'none'}.")
    if not known:
        raise CommandError(
            "There are no consumers: mark functions with @consumer in an application's event_consumers.py."
        )
    return [known[name] for name in names] if names else list(known.values())
