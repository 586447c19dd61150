from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from consumers.models import ConsumerGroup
from observability.numbers.holdings import load_holdings
from observability.numbers.outlook import GroupNumbers, list_group_numbers
from observability.numbers.snapshot import one_snapshot
from observability.operations.command import OperatorCommand, find_stream_named


class Command(OperatorCommand):
    help = "Show how far consumer groups are behind, of one stream or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream", nargs="?")

    def run_for(self, options: dict[str, Any]) -> None:
        now, groups, stream_ids = timezone.now(), ConsumerGroup.objects.all(), None
        if options["stream"]:
            stream_ids = [find_stream_named(options["stream"]).id]
            groups = groups.filter(stream_id__in=stream_ids)
        with one_snapshot():
            numbers = list_group_numbers(groups, load_holdings(stream_ids=stream_ids, now=now), now=now)
        # Into a pipe or a file it is as wide as it needs to be.
        width = None if self.stdout.isatty() else 200
        Console(file=self.stdout, width=width).print(make_table(numbers))  # type: ignore[arg-type]


def make_table(groups: list[GroupNumbers]) -> Table:
    """Return the groups as a table; the furthest behind first."""
    table = Table("stream", "group", "mode")
    for heading in (
        "lag",
        "lost",
        "oldest",
        "in flight",
        "waiting",
        "scheduled",
        "dead letters",
        "lost in",
        "caught up in",
    ):
        table.add_column(heading, justify="right")
    for group, outlook in sorted(groups, key=_by_age):
        table.add_row(
            group.stream,
            group.name,
            group.mode,
            f"{group.lag:,}",
            f"{group.lost:,}",
            show_seconds(group.lag_seconds),
            f"{group.in_flight:,}",
            f"{group.waiting:,}",
            f"{group.scheduled:,}",
            f"{group.dead_letters:,}",
            show_seconds(outlook.retention_risk_seconds),
            show_seconds(outlook.catch_up_seconds if group.lag else None),
        )
    return table


def _by_age(group: GroupNumbers) -> tuple[float, int, str, str]:
    standing = group.standing
    return (-(standing.lag_seconds or 0), -standing.lag, standing.stream, standing.name)


def show_seconds(seconds: float | None) -> str:
    """Return a duration in its two largest units, or a dash."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    for size, unit, smaller, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {small_unit}"
    return f"{seconds:.1f} s"
