"""A group over time as its page shows it: three charts, and each of them as a table. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, TypeAlias

from observability.dashboard.queries.charts import BEGUN_SECONDS
from observability.numbers.group_series import GroupPoint
from observability.wording import number_of, rate

Values: TypeAlias = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class TableRow:
    """What a chart says of one point; without cells nothing was recorded, from `start` to the end of point `last`."""

    start: datetime
    last: datetime
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupChart:
    """One chart of a group's.

    Attributes:
        note: the whole of it in a few words.
        data: as the charts' script reads it.
        hue: the first series' colour; the others follow.
        columns, rows: the same as a table, the newest first.
    """

    id: str
    title: str
    note: str
    data: dict[str, Any]
    hue: int
    columns: Sequence[str]
    rows: Sequence[TableRow]

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Each series' colour and name, where there are several."""
        labels = [series["label"] for series in self.data["series"]]
        return [(self.hue + number, label) for number, label in enumerate(labels)] if len(labels) > 1 else []


def group_charts(points: Sequence[GroupPoint], *, is_lease_mode: bool) -> list[GroupChart]:
    """Lag, throughput and failures; in offset mode nothing is delivered that could fail."""
    lag, finished = [point.lag for point in points], [point.finished for point in points]
    failed, dead = [point.failed for point in points], [point.dead_lettered for point in points]
    verb = "acked" if is_lease_mode else "committed"
    failures: dict[str, Values] = {"failed": failed} if is_lease_mode else {}
    failures["dead-lettered"] = dead
    return [
        _chart(
            points,
            ("lag", "Lag", 1),
            note=f"{number_of(max(filter(None, lag), default=0), 'event')} at most",
            series={"events behind": lag},
            table={"Events behind": map(_exact, lag)},
        ),
        _chart(
            points,
            ("throughput", "Throughput", 2),
            note=f"{_total(finished)} {verb}",
            series={"events/s": [_rate(point) for point in points]},
            table={
                f"Events {verb}": map(_exact, finished),
                "Per second": [rate(point.finished_per_second) for point in points],
            },
        ),
        _chart(
            points,
            ("failures", "Failures", 3),
            note=", ".join(f"{_total(values)} {label}" for label, values in failures.items()),
            series=failures,
            table={label.capitalize(): map(_exact, values) for label, values in failures.items()},
        ),
    ]


def _chart(
    points: Sequence[GroupPoint],
    name: tuple[str, str, int],
    *,
    note: str,
    series: dict[str, Values],
    table: dict[str, Iterable[str]],
) -> GroupChart:
    cells = list(zip(*table.values(), strict=True))
    return GroupChart(
        *name[:2],
        note=note,
        data={
            "x": [int(point.start.timestamp()) for point in points],
            "series": [{"label": label, "values": values} for label, values in series.items()],
        },
        hue=name[2],
        columns=list(table),
        rows=list(_rows(points, cells)),
    )


def _rows(points: Sequence[GroupPoint], cells: Sequence[tuple[str, ...]]) -> Iterator[TableRow]:
    """The newest first; what was not recorded for a while is one row."""
    newest_first = reversed(list(zip(points, cells, strict=True)))
    for is_recorded, group in groupby(newest_first, key=lambda each: each[0].lag is not None):
        stretch = list(group)
        if is_recorded:
            yield from (TableRow(point.start, point.start, told) for point, told in stretch)
        else:
            yield TableRow(stretch[-1][0].start, stretch[0][0].start)


def _rate(point: GroupPoint) -> float | None:
    """A point that has just begun says nothing yet."""
    has_begun = point.seconds is not None and point.seconds >= BEGUN_SECONDS
    return round(point.finished_per_second, 6) if has_begun and point.finished_per_second is not None else None


def _exact(count: float | None) -> str:
    return "–" if count is None else f"{count:,}"


def _total(counts: Values) -> str:
    return f"{sum(filter(None, counts)):,}"
