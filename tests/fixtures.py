"""Fixtures that every test may use, wherever it lies.

A plugin of its own: those of a `conftest.py` are for the tests beside it, and the clients' lie elsewhere.
"""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test.utils import setup_databases, teardown_databases
from whitenoise.middleware import WhiteNoiseMiddleware

from streams.log import SIGHTINGS, close_log
from streams.log.engines import get_engines
from tests.conftest import copy_database, emptied_in_the_end, end_other_sessions
from tests.connection_pool import close_pool
from tests.distant_log import DistantLog
from tests.web_server import WebServer

# Whether an example comes late says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Every client of Django's loads the middleware anew, and WhiteNoise then looks at each of hundreds of files."""
    find = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def find_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files = found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """A password's hash is meant to take half a second; here a thousandth of that is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", PBKDF2PasswordHasher.iterations // 1_000)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings) -> Iterator[None]:
    """The test database; pytest-django's own would make it only for tests that carry its mark."""
    with django_db_blocker.unblock():
        if template := os.environ.get("EVENTFLOW_TEST_TEMPLATE"):
            copy_database(template)
            yield
            # It goes with its server.
            close_log()
            close_pool()
        else:
            settings = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
            yield
            close_log()
            end_other_sessions()
            close_pool()
            teardown_databases(settings, verbosity=0)


@pytest.fixture
def db_with_commits(request, django_db_setup, django_db_blocker) -> Iterator[None]:
    """A clean database in which everything commits for real, as other threads and processes need it."""
    assert request.node.get_closest_marker("database"), "only runs if others need servers: mark it with `database`"
    with django_db_blocker.unblock(), emptied_in_the_end():
        yield


@pytest.fixture(scope="module")
def db_with_commits_for_all(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The same for a whole module, whose tests only look at what was put there once."""
    with django_db_blocker.unblock(), emptied_in_the_end():
        yield


@pytest.fixture
def distant(db_with_commits, settings, monkeypatch) -> Iterator[DistantLog]:
    """An engine beside PostgreSQL, under the alias `distant`, that promises the least and goes away on request.

    What is seen of it is written down when a test says so (`SIGHTINGS.write`), not by a thread at some moment.
    """
    monkeypatch.setattr(SIGHTINGS, "_ensure_written", lambda: None)
    close_log()
    settings.EVENTFLOW_ENGINES = {"distant": {"ENGINE": "tests.distant_log", "OPTIONS": {}}}
    engine = get_engines().get("distant").log
    assert isinstance(engine, DistantLog)
    yield engine
    SIGHTINGS.forget()
    close_log()


@pytest.fixture(scope="session")
def shared_web(django_db_setup, django_db_blocker) -> Iterator[WebServer]:
    """A web server for all tests that want nothing special of one; starting it takes more than most of what they ask.

    It remembers streams by their names for a second, longer than a test has them: each has to have names of its own.
    """
    with django_db_blocker.unblock(), WebServer() as web:
        yield web
