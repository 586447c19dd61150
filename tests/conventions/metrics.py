"""Every metric that the code makes, read from its source."""

import ast
from dataclasses import dataclass

from tests.conventions.source import nodes

KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


@dataclass(frozen=True, order=True)
class Metric:
    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name}{{{','.join(self.labels)}}}" if self.labels else self.name


def metrics_in_the_code() -> list[Metric]:
    """Name (as Prometheus shows it), kind and help text of each."""
    return sorted({metric for node in nodes() if isinstance(node, ast.Call) and (metric := _metric_of(node))})


def _metric_of(call: ast.Call) -> Metric | None:
    maker = getattr(call.func, "id", "")
    texts = [arg.value for arg in call.args[:3] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if not texts or not texts[0].startswith("eventflow_"):
        return None
    if maker == "Family" and len(texts) == 3:
        return Metric(texts[0], texts[1], texts[2])
    if maker in KINDS and len(texts) >= 2:
        # prometheus_client adds the suffix of a counter by itself.
        suffix = "_total" if maker == "Counter" else ""
        return Metric(texts[0].removesuffix("_total") + suffix, KINDS[maker], texts[1], _labels_of(call))
    return None


def _labels_of(call: ast.Call) -> tuple[str, ...]:
    given = [*call.args[2:3], *(word.value for word in call.keywords if word.arg == "labelnames")]
    return tuple(str(ast.literal_eval(label)) for each in given if isinstance(each, ast.List) for label in each.elts)


def table() -> str:
    """The table of docs/metrics.md."""
    rows = [f"| `{metric.title}` | {metric.kind} | {metric.meaning} |" for metric in metrics_in_the_code()]
    return "\n".join(["| metric | kind | meaning |", "|---|---|---|", *rows])
