from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventflow_site.api.problem_kinds import list_problem_kinds, render_markdown
from eventflow_site.layout import CODE, IS_INSTALLED


class Command(BaseCommand):
    help = "Write docs/problems.md from the error classes."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if IS_INSTALLED:
            raise CommandError(
                "The documents are in the checkout that this package was built from, not in the package."
            )
        path = CODE / "docs" / "problems.md"
        path.write_text(render_markdown(list_problem_kinds()))
        self.stdout.write(f"{path} is up to date.")
