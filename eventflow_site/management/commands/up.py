"""`manage.py up`, for `manage.py help` and `call_command`.

manage.py itself goes to the supervisor before Django is configured: on a fresh machine there is
nothing yet to configure it with.
"""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from eventflow_site.supervisor.cli import main


class Command(BaseCommand):
    help = "Start everything: servers, migrations, web, worker and beat."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main())
