"""docs/django.md: the project that it makes does what it says."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from application import DJANGO, Shop
from running import lag, stored, wait_for

from tests.factories import make_stream

pytestmark = [pytest.mark.processes, pytest.mark.slow("makes a Django project, and starts its programs")]
PAGE = DJANGO.parents[1] / "docs" / "django.md"
TEXT = PAGE.read_text()
FILES = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith(("python", "django-admin"))
]
# The reader's own, which the page leaves as `startproject` makes it.
DATABASE = """
import environ

DATABASES = {"default": environ.Env().db_url("SHOP_DATABASE_URL")}
"""
TASKS_OF_NOBODY = """
from shop.celery import app
app.loader.import_default_modules()
print({each["task"] for each in app.conf.beat_schedule.values()} - set(app.tasks))
"""
SETTINGS = """
import dataclasses, json
from eventflow_django.conf import Configuration
print(json.dumps({each.name.upper(): each.default for each in dataclasses.fields(Configuration)}))
"""


def typed(folder: Path, command: str, environment: dict[str, str]) -> str:
    """Type a command of the page in a terminal; return what it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write_files(folder: Path) -> None:
    """What the page says of the settings is added to those that are there."""
    for name, content in [*FILES, ("shop/settings.py", DATABASE)]:
        with (folder / name).open("a" if name.endswith("settings.py") else "w") as file:
            file.write(content)


@pytest.fixture
def project(web, key, owner, tmp_path) -> Iterator[Shop]:
    make_stream("orders", owner=owner)
    project = Shop(f"page_{os.getpid()}", url=web.url, key=key, folder=tmp_path)
    for command in COMMANDS[:2]:
        typed(tmp_path, command, {})
    write_files(tmp_path)
    try:
        project.create_database()
        yield project
    finally:
        project.drop()


def test_the_project_of_the_page_works_from_its_first_line_to_its_last(project, client):
    assert COMMANDS[0].startswith("django-admin startproject")
    (consume,) = [each for each in COMMANDS if each.endswith("consume")]
    (test,) = [each for each in COMMANDS if " test " in each]
    told = [typed(project.folder, each, project.environment) for each in COMMANDS[2:] if each not in (consume, test)]
    assert told[-1] == "1 events stored, 0 left\n"
    project.manage("check", "--fail-level", "WARNING")
    place = "from orders.services import place_order; [place_order(customer='Bo', cents=n) for n in range(3)]"
    project.manage("shell", "-c", place)
    project.manage("relay_outbox", "--once")
    assert [event["payload"]["cents"] for event in stored(client, "orders")] == [1990, 0, 1, 2]

    with project.started(*consume.split()[2:]) as program:
        wait_for("the totals", lambda: project.ask("SELECT sum(cents) FROM orders_total") == [(1993,)])
        wait_for("the dead letter", lambda: list(client.dead_letters.list(stream="orders")))
        wait_for("the invoices", lambda: len(project.ask("SELECT 1 FROM orders_invoice")) == 3)
        wait_for("both to be at the end", lambda: lag(client, "orders", "totals") == 0)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0
    (dead,) = client.dead_letters.list(stream="orders")
    assert (dead.group, dead.last_error) == ("invoices", "there is nothing to pay")
    assert {group.name: group.mode for group in client.groups.list("orders")} == {
        "invoices": "lease",
        "totals": "offset",
    }

    # Its test runner makes a database of its own beside this one.
    typed(project.folder, test, project.environment)
    look = "from orders.health import outbox; answer = outbox(None); print(answer.status_code, answer.content.decode())"
    assert '200 {"unsent": 0, "errors": {}}' in project.manage("shell", "-c", look)
    assert project.manage("forget_processed", "--days", "0") == "7 marks forgotten\n"
    assert project.python("-c", TASKS_OF_NOBODY) == "set()\n"


def test_every_setting_is_in_the_table_with_what_holds_otherwise(shop):
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", TEXT, re.MULTILINE)
    assert {name: json.loads(value.replace("None", "null")) for name, value in rows} == json.loads(
        shop.python("-c", SETTINGS)
    )


def test_every_command_is_named():
    commands = {path.stem for path in (DJANGO / "src/eventflow_django/management/commands").glob("[a-z]*.py")}
    assert commands == {each for each in commands if f"manage.py {each}" in TEXT}
