from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from eventflow_site.migration_turn import migration_turn
from eventflow_site.pooler import go_past_pooler


class Command(migrate.Command):
    """Django's own, one at a time: whoever comes second waits, and finds nothing left to do."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            # Only looks.
            super().handle(*args, **options)
            return
        go_past_pooler(connections[options["database"]])
        with migration_turn(connections[options["database"]], say=self.stderr.write):
            super().handle(*args, **options)
