"""docs/tutorial.md from its first line to its last: a shop of its own, a consumer that is killed, a dead letter that is mended."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from accounts.roles import Role
from tests.client import ApiClient
from tests.conventions.commands import PROJECT, commands_of, run_commands, serving
from tests.conventions.test_client_recipes import Unreliable
from tests.factories import make_token, make_user
from tests.run.instance import clean_environment, wait_for

TUTORIAL = "docs/tutorial.md"
_FILE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PASSWORD = "a long enough password"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("starts a Django project of its own, many times, and waits for leases to run out"),
    pytest.mark.usefixtures("db_with_commits"),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"),
]


class Shop:
    """The reader's folder, and the terminal in which they type what the page says."""

    def __init__(self, folder: Path, api: str) -> None:
        self.folder = folder
        # `python` and `django-admin` are those of the reader's environment.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = clean_environment(PATH=path, EVENTFLOW_API=api, PYTHONDONTWRITEBYTECODE="1")
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)

    def type(self, *commands: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", "\n".join(commands)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def write_files(self) -> None:
        for name, text in _FILE.findall((PROJECT / TUTORIAL).read_text()):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text.replace('"wait": 20', '"wait": 1'))
        settings = self.folder / "shop" / "settings.py"
        settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "orders",'))

    def invoices(self) -> int:
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=20) as database:
            return int(database.execute("SELECT count(*) FROM orders_invoice").fetchone()[0])

    def orders_with_invoices(self) -> int:
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=20) as database:
            return int(database.execute("SELECT count(DISTINCT order_id) FROM orders_invoice").fetchone()[0])

    @contextmanager
    def consumer(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "write_invoices"], cwd=self.folder, env=self.environment
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def block(containing: str) -> str:
    """The commands of the page that have this in them."""
    [found] = [body for body in _SHELL.findall((PROJECT / TUTORIAL).read_text()) if containing in body]
    return textwrap.dedent(found)


def test_every_order_has_one_invoice_though_a_consumer_was_killed_and_what_cannot_be_processed_is_mended(tmp_path):
    admin = make_user(*Role, email="admin@eventflow.local", password=_PASSWORD)
    site = Unreliable()
    with serving(site) as api:
        variables = {"API": api, "EMAIL": admin.email, "PASSWORD": _PASSWORD}
        beginning = [each for each in commands_of(TUTORIAL) if "DEAD" not in each and "9000" not in each]
        hurried = [
            each.replace('"ack_wait": 10', '"ack_wait": 3').replace('"backoff": [1, 5]', '"backoff": [0]')
            for each in beginning
        ]
        assert hurried != beginning
        printed = run_commands([*hurried, "echo; echo key=$EVENTFLOW_KEY"], cwd=tmp_path, **variables)

        shop = Shop(tmp_path, api)
        shop.environment["EVENTFLOW_KEY"] = printed.rpartition("key=")[2].strip()
        shop.type(block("startproject"))
        shop.write_files()
        shop.type(block("makemigrations"))
        shop.type(block("send_events --once"))
        sent = ApiClient(token=make_token(admin)).get("/streams/orders/stats").json()
        assert sent["event_count"] == 200

        with shop.consumer() as consumer:
            wait_for("a first invoice", lambda: shop.invoices() > 0)
            consumer.send_signal(signal.SIGKILL)
            consumer.wait()
        assert 0 < shop.invoices() < 200, "it was killed in the middle of its work"

        with shop.consumer():
            wait_for("an invoice for every order", lambda: shop.orders_with_invoices() == 200, seconds=60)
            assert shop.invoices() == 200
            client = ApiClient(token=make_token(admin))
            assert dead_letters(client) == [], "nothing was given up on"
            variables |= {
                "TOKEN": make_token(admin),
                "EVENTFLOW_API": api,
                "EVENTFLOW_KEY": shop.environment["EVENTFLOW_KEY"],
            }
            run_commands([block("9000}}'")], cwd=tmp_path, **variables)
            wait_for("a dead letter", lambda: dead_letters(client), seconds=60)
            assert "KeyError('total')" in str(dead_letters(client)[0])
            run_commands([block("export DEAD")], cwd=tmp_path, **variables)
            wait_for("the invoice of what was mended", lambda: shop.invoices() == 201, seconds=60)
        site.wait_until_idle()


def dead_letters(client: ApiClient) -> list[dict[str, str]]:
    return client.get("/dead-letters", stream="orders", status="open").json()["data"]
