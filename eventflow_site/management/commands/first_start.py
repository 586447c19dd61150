from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from eventflow_site.first_start import prepare_first_start
from eventflow_site.migration_turn import migration_turn
from eventflow_site.pooler import go_past_pooler
from eventflow_site.supervisor.first_answer import keep_answer, read_answer


class Command(BaseCommand):
    help = "Migrate, and create the first admin and the demo stream where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--answer", type=Path, required=True, help="where to write what was created (0600)")

    def handle(self, *args: Any, answer: Path, **options: Any) -> None:
        # One turn for both: two first starts would make the same admin.
        go_past_pooler(connection)
        with migration_turn(connection, say=self.stderr.write):
            call_command("migrate", interactive=False, verbosity=0)
            seeded = {name: value for name, value in asdict(prepare_first_start()).items() if value is not None}
        # The key is known only when it is created: a later run must not forget it.
        keep_answer(answer, {**(read_answer(answer) or {}), **seeded})
