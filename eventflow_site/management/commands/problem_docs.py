from typing import Any

from django.core.management.base import BaseCommand

from eventflow_site.api.problem_kinds import list_problem_kinds, render_markdown
from eventflow_site.environment import BASE_DIR


class Command(BaseCommand):
    help = "Write docs/problems.md from the error classes."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        path = BASE_DIR / "docs" / "problems.md"
        path.write_text(render_markdown(list_problem_kinds()))
        self.stdout.write(f"{path} is up to date.")
