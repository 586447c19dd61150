"""The SQL files of `consumers/sql/`."""

from pathlib import Path
from typing import Any

from django.db import transaction

from accounts.statements import read_statements

run = read_statements(Path(__file__).parent / "sql").rows


def run_by_key(name: str, /, **params: Any) -> list[tuple[Any, ...]]:
    """Run a statement that looks keys up, each by the index that has their order.

    Deliveries come and go: to whoever counted them when there were none any index looks as good, and the plan that is
    made then stays in use while one of those others fills with what was finished. All but the right one would have to
    be sorted, and that is what the planner is asked not to do.
    """
    with transaction.atomic(savepoint=False):
        run("forbid_sorting")
        rows = run(name, **params)
        run("allow_sorting")
    return rows
