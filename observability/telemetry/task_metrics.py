"""Celery's tasks, counted in the processes that send and run them."""

import time
from typing import Any

from celery import signals
from prometheus_client import Counter, Histogram

from observability.telemetry.process_counters import fold_departed, own_directory

_sent = Counter("eventflow_tasks_sent", "Tasks handed to the broker; beat's are the ticks.", ["task"])
_ended = Counter("eventflow_tasks", "Tasks that ended, by outcome.", ["task", "outcome"])
_seconds = Histogram(
    "eventflow_task_seconds", "Time that a task took.", ["task"], buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
)
_OUTCOMES = {"SUCCESS": "succeeded", "FAILURE": "failed", "RETRY": "retried", "REJECTED": "rejected"}
# Names of tasks are ours; a message that names another is refused before it gets here.
_started: dict[str, float] = {}


def connect() -> None:
    """Attach to Celery's signals; they fire only in processes that send or run tasks."""
    signals.after_task_publish.connect(_count_sent, dispatch_uid="eventflow-metrics")
    signals.task_prerun.connect(_note_start, dispatch_uid="eventflow-metrics")
    signals.task_postrun.connect(_count_end, dispatch_uid="eventflow-metrics")
    signals.worker_init.connect(_fold, dispatch_uid="eventflow-metrics")
    signals.beat_init.connect(_fold, dispatch_uid="eventflow-metrics")


def _count_sent(sender: str | None = None, **_signal: Any) -> None:
    _sent.labels(sender or "unknown").inc()


def _note_start(task_id: str, **_signal: Any) -> None:
    _started[task_id] = time.perf_counter()


def _count_end(task_id: str, task: Any, state: str | None = None, **_signal: Any) -> None:
    started = _started.pop(task_id, None)
    _ended.labels(task.name, _OUTCOMES.get(state or "", "other")).inc()
    if started is not None:
        _seconds.labels(task.name).observe(time.perf_counter() - started)


def _fold(**_signal: Any) -> None:
    directory = own_directory()
    if directory is not None:
        fold_departed(directory)
