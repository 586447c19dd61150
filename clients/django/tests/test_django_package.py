"""The package by itself: built, and installed into an environment that has nothing else."""

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from application import DJANGO
from eventflow_client import EventFlow
from running import stored

from tests.packaging.building import PROJECT, build, run_or_skip

pytestmark = pytest.mark.processes
SOURCE = DJANGO / "src"
SETTINGS = """
INSTALLED_APPS += ["eventflow_django"]
EVENTFLOW = {"PAUSE_SECONDS": 0.2}
"""
PUBLISH = """
from django.db import transaction
from eventflow_django import NewEvent, publish
with transaction.atomic():
    publish(NewEvent("{stream}", {{"n": 1}}, key="k"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("django"), DJANGO).wheel


def test_the_wheel_has_all_of_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "eventflow_django").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted
    [metadata] = [zipfile.ZipFile(wheel).read(name) for name in names if name.endswith("/METADATA")]
    needs = {each.split(">")[0] for each in message_from_bytes(metadata).get_all("Requires-Dist", [])}
    assert needs == {"django", "eventflow-client"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def project(wheel, tmp_path_factory) -> Path:
    """A new project in an environment with the two packages and what they need."""
    folder = tmp_path_factory.mktemp("installed")
    python = folder / "environment" / "bin" / "python"
    client = build(tmp_path_factory.mktemp("client"), DJANGO.parent / "python").wheel
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    install(python, client, wheel)
    run(python, "-m", "django", "startproject", "site_of_ours", folder)
    with (folder / "site_of_ours" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    return folder


def install(python: Path, *wheels: Path) -> None:
    """With uv, which has the versions of the lock file in its cache, and with pip where uv cannot."""
    uv, constraint = Path(sys.executable).with_name("uv"), PROJECT / "requirements-dev.txt"
    if uv.exists():
        command = [uv, "pip", "install", "--python", python, "--constraint", constraint, *wheels]
        if subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0:
            return
    run_or_skip(sys.executable, "-m", "pip", "--python", python, "install", "--no-input", *wheels)


def run(python: Path, *arguments: object, cwd: Path | None = None, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTHON"))}
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow("makes an environment, and a project in it")
def test_installed_it_publishes_and_relays_with_nothing_of_the_server_beside_it(project, web, key, stream):
    python = project / "environment" / "bin" / "python"
    variables = {"EVENTFLOW_API": web.url, "EVENTFLOW_KEY": key}

    def manage(*arguments: str) -> str:
        return run(python, "manage.py", *arguments, cwd=project, **variables)

    assert manage("makemigrations", "--check", "--dry-run") == "No changes detected\n"
    manage("check", "--fail-level", "WARNING")
    manage("migrate", "--verbosity", "0")
    manage("shell", "-c", PUBLISH.format(stream=stream))
    assert manage("relay_outbox", "--once") == "1 events stored, 0 left\n"
    with EventFlow(web.url, key=key) as client:
        assert [(event["payload"], event["key"]) for event in stored(client, stream)] == [({"n": 1}, "k")]
    where = run(python, "-c", "import eventflow_django; print(eventflow_django.__file__)", cwd=project)
    assert where.startswith(str(project))


@pytest.mark.slow("makes an environment, and a project in it")
def test_installed_it_needs_neither_celery_nor_pytest(project):
    python = project / "environment" / "bin" / "python"
    there = run(
        python, "-c", "from importlib.metadata import distributions as d; print(*{e.name.lower() for e in d()})"
    )
    assert {"django", "eventflow-django", "eventflow-client", "httpx", "msgspec"} <= set(there.split())
    assert set(there.split()) & {"celery", "pytest", "psycopg", "eventflow", "pip"} == set()
