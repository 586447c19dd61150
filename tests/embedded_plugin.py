"""Real PostgreSQL and Valkey for a test run, unless DATABASE_URL and REDIS_URL name others.

Loaded with `-p`, because pytest-django reads the settings before any conftest.py. By then only the
addresses must be known; the servers start once it is clear that a collected test needs them. They
belong to the controlling process, and xdist's workers share them. Nothing outlives the run, however
that ends.
"""

import atexit
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.embedded_servers import EmbeddedServers
from tests.places import new_run, remove

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ

_servers: EmbeddedServers | None = None


def pytest_configure(config: pytest.Config) -> None:
    # Not loaded with `-p`: by now Django is set up, and these come before pytest-django's own of the same name.
    for fixtures in ("tests.fixtures", "tests.kafka.fixtures", "tests.kafka.elsewhere"):
        config.pluginmanager.register(import_module(fixtures))


# Before xdist tells the controller that all is collected: then the wish is looked for.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly or not any(item.get_closest_marker("database") for item in session.items):
        return
    if _servers is not None:
        _servers.start()
    else:
        _wish().touch()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """No worker runs a test before its controller has returned from here."""
    if _servers is not None and _wish().exists():
        _servers.start()


def _wish() -> Path:
    """How workers say that they need the servers."""
    return Path(os.environ["EVENTFLOW_HOME"]) / "servers-are-needed"


def _reserve_servers() -> EmbeddedServers:
    run = new_run()
    servers = EmbeddedServers(run)
    os.environ.update(servers.addresses)
    # Not the home of a `make run` in the same checkout: its secrets and servers are not for tests.
    os.environ["EVENTFLOW_HOME"] = str(run)
    os.environ.setdefault("SECRET_KEY", "a-secret-key-for-tests-only-of-more-than-fifty-characters")
    os.environ.setdefault("JWT_SIGNING_KEY", "a-signing-key-for-tests-only-of-more-than-fifty-characters")
    # A line for each request would drown what pytest has to say.
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    # As in production, and not for its sake alone: a new session costs PostgreSQL as much as a whole test.
    os.environ["DATABASE_POOL_SIZE"] = "60"
    atexit.register(_stop, os.getpid(), servers, run)
    return servers


def _stop(owner: int, servers: EmbeddedServers, run: Path) -> None:
    if os.getpid() == owner:
        servers.stop()
        remove(run)


if not IS_WORKER:
    _servers = _reserve_servers()
