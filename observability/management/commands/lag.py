from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from observability.numbers.lanes import load_lanes
from observability.numbers.standings import GroupStanding, list_standings
from observability.operations.command import OperatorCommand, find_stream_named


class Command(OperatorCommand):
    help = "Show how far consumer groups are behind, of one stream or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream", nargs="?")

    def run_for(self, options: dict[str, Any]) -> None:
        stream_id = find_stream_named(options["stream"]).id if options["stream"] else None
        now = timezone.now()
        groups = list_standings(load_lanes(stream_id=stream_id, now=now), stream_id=stream_id, now=now)
        # Into a pipe or a file it is as wide as it needs to be.
        width = None if self.stdout.isatty() else 200
        Console(file=self.stdout, width=width).print(make_table(groups))  # type: ignore[arg-type]


def make_table(groups: list[GroupStanding]) -> Table:
    """Return the groups as a table; the furthest behind first."""
    table = Table("stream", "group", "mode")
    for heading in ("lag", "oldest", "in flight", "waiting", "dead letters", "lost in", "caught up in"):
        table.add_column(heading, justify="right")
    for group in sorted(groups, key=lambda each: (-(each.lag_seconds or 0), -each.lag, each.stream, each.name)):
        table.add_row(
            group.stream,
            group.name,
            group.mode,
            f"{group.lag:,}",
            show_seconds(group.lag_seconds),
            f"{group.in_flight:,}",
            f"{group.waiting:,}",
            f"{group.dead_letters:,}",
            show_seconds(group.retention_risk_seconds),
            show_seconds(group.catch_up_seconds if group.lag else None),
        )
    return table


def show_seconds(seconds: float | None) -> str:
    """Return a duration in its two largest units, or a dash."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    for size, unit, smaller, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {small_unit}"
    return f"{seconds:.1f} s"
