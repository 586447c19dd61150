"""Forgets marks of events that were handled long ago."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from eventflow_django.amending import forget_processed


class Command(BaseCommand):
    help = "Forget marks of events handled long ago. Keep them for as long as an event may come again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=float, default=30.0, help="keep those of so many days (30)")

    def handle(self, *args: Any, **options: Any) -> None:
        count = forget_processed(before=datetime.now(UTC) - timedelta(days=options["days"]))
        self.stdout.write(f"{count} marks forgotten")
