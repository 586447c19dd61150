"""Every metric that the code makes, read from its source."""

import ast
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "streams", "consumers", "observability", "eventflow_site")
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


@dataclass(frozen=True, order=True)
class Metric:
    name: str
    kind: str
    meaning: str


def metrics_in_the_code() -> list[Metric]:
    """Name (as Prometheus shows it), kind and help text of each."""
    found = set()
    for app in APPS:
        for path in (PROJECT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and (metric := _metric_of(node)):
                    found.add(metric)
    return sorted(found)


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
        return Metric(texts[0].removesuffix("_total") + suffix, KINDS[maker], texts[1])
    return None


def table() -> str:
    """The table of docs/metrics.md."""
    rows = [f"| `{metric.name}` | {metric.kind} | {metric.meaning} |" for metric in metrics_in_the_code()]
    return "\n".join(["| metric | kind | meaning |", "|---|---|---|", *rows])
