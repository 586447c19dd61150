"""EventFlow's own processes: web, worker and beat, as command lines."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

from eventflow_site import layout
from eventflow_site.embedded.process import start_process
from eventflow_site.supervisor.children import Child
from eventflow_site.supervisor.configuration import Configuration
from eventflow_site.supervisor.home import FIRST_ADMINS_VARIABLE, Home
from eventflow_site.supervisor.limits import connections_of_a_worker

# What granian says of a worker that ended by itself.
WORKER_DIED = "Unexpected exit from worker"


def web(configuration: Configuration, home: Home, env: Mapping[str, str]) -> Child:
    """The web server: one event loop a worker. `backpressure` counts connections, idle ones too."""
    return _child(
        "web",
        [
            *("eventflow_site.front.granian", "--interface", "rsgi"),
            *("--host", configuration.host, "--port", str(configuration.port)),
            *("--workers", str(configuration.web_workers), "--respawn-failed-workers"),
            *(
                "--loop",
                "auto",
                "--task-impl",
                "asyncio",
                "--backlog",
                "4096",
                "--backpressure",
                str(connections_of_a_worker()),
            ),
            # Nothing here speaks HTTP/2 or WebSocket, and who dawdles over a request's head is sent away.
            *("--http", "1", "--no-ws", "--http1-header-read-timeout", "10000"),
            # Without it a stop waits for as long as a client keeps a stream open.
            *("--workers-kill-timeout", "2"),
            *("--no-access-log", "eventflow_site.front.rsgi:application"),
        ],
        home,
        env,
    )


def worker(home: Home, env: Mapping[str, str]) -> Child:
    """The Celery worker."""
    return _child("worker", ["eventflow_site.background.worker"], home, env)


def beat(home: Home, env: Mapping[str, str]) -> Child:
    """The ticking: apart from the worker, so that its death is seen and mended."""
    schedule = str(home.directory("beat") / "schedule")
    return _child("beat", ["eventflow_site.background.beat", "--schedule", schedule], home, env)


def first_start(answer: Path, env: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Migrations and what a first start needs, as one short-lived process that writes `answer`."""
    return _run(["-m", "eventflow_site", "manage", "first_start", "--answer", str(answer)], env, log)


def _child(name: str, module: list[str], home: Home, env: Mapping[str, str]) -> Child:
    # The first admin's password is for the first start alone.
    env = {variable: value for variable, value in env.items() if variable != FIRST_ADMINS_VARIABLE}
    return Child(name=name, start_process=partial(_run, ["-m", *module], env), log_path=home.logs / f"{name}.log")


def _run(arguments: list[str], env: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # Without the supervisor the embedded servers are gone as well: there is nothing left to finish, and
    # a web server that takes its time to stop would keep the port from the next start.
    return start_process(
        [sys.executable, *arguments], output=log, env=env, cwd=layout.CODE, death_signal=signal.SIGKILL
    )
