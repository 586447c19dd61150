"""What each program has in memory while it has nothing to do: what it needs, and what is shared only once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eventflow_site.celery import app
from tests.places import PROJECT

pytestmark = pytest.mark.processes

# Each of them takes megabytes, or brings along what does.
A_SHELL_FOR_THE_TERMINAL = {"prompt_toolkit", "click_repl"}
PAGES_AND_ADDRESSES = {"eventflow_site.urls", "observability.dashboard.urls", "drf_spectacular.views"}
DJANGOS_APPLICATIONS = {
    "django.db.models",
    "django.contrib.auth",
    "rest_framework",
    "streams.models",
    "observability.models",
}


def say(program: str, *, counters: Path | None = None) -> list[str]:
    """Run a program and return the words that it prints."""
    env = {**os.environ, **({"PROMETHEUS_MULTIPROC_DIR": str(counters)} if counters else {})}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_beat_loads_none_of_djangos_applications() -> None:
    modules = say(
        "from eventflow_site.background.beat import make_app, attach_telemetry\n"
        "attach_telemetry(); app = make_app(); app.loader.init_worker(); app.finalize(); app.connection_for_write()\n"
        "import sys; print(*sys.modules)"
    )

    assert {"eventflow_site.settings", "celery.beat"} <= set(modules)
    assert set(modules) & (DJANGOS_APPLICATIONS | PAGES_AND_ADDRESSES | A_SHELL_FOR_THE_TERMINAL) == set()


def test_beat_counts_in_a_directory_that_nobody_has_made_yet(tmp_path: Path) -> None:
    directory = tmp_path / "counters"

    say(
        "from celery import signals\n"
        "from eventflow_site.background.beat import attach_telemetry\n"
        "attach_telemetry(); signals.after_task_publish.send(sender='tick')",
        counters=directory,
    )

    assert [file.name.partition("_")[0] for file in directory.glob("*.db")] == ["counter"]


def test_the_worker_loads_no_pages_and_nothing_for_the_terminal() -> None:
    modules = say(
        "from eventflow_site.background.worker import app\n"
        "app.Worker(pool_cls='threads', concurrency=1, quiet=True)\n"
        "import sys; print(*sys.modules)"
    )

    assert {"observability.tasks", "celery.worker.consumer"} <= set(modules)
    assert set(modules) & (PAGES_AND_ADDRESSES | A_SHELL_FOR_THE_TERMINAL) == set()


def test_what_web_workers_are_forked_from_has_loaded_everything_and_made_nothing() -> None:
    threads, sockets, *modules = say(
        "import os, threading\n"
        "from eventflow_site.front.granian import load_application\n"
        "load_application()\n"
        "links = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if fd != '3']\n"
        "print(threading.active_count(), sum(link.startswith('socket:') for link in links))\n"
        "import sys; print(*sys.modules)"
    )

    assert (threads, sockets) == ("1", "0")
    assert PAGES_AND_ADDRESSES | {"whitenoise.middleware", "streams.api.append"} <= set(modules)


def test_no_task_has_options_of_its_own_that_beat_would_not_know() -> None:
    app.loader.import_default_modules()
    of_celerys_own = app.tasks["celery.chord"]._get_exec_options()

    # What `apply_async` adds to what it is told, which only somebody who has the task can do.
    options = {name: task._get_exec_options() for name, task in app.tasks.items() if not name.startswith("celery.")}

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= options.keys()
    assert {name: each for name, each in options.items() if each != of_celerys_own} == {}
