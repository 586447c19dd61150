"""docs/tutorial.md as its reader does it: what they type, the folder they type it in, and what has to come of it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conventions.commands import PROJECT, commands_of, run_commands
from tests.run.instance import clean_environment, wait_for

TUTORIAL = "docs/tutorial.md"
_FILE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Shop:
    """The reader's folder, and the terminal in which they type what the page says."""

    def __init__(self, folder: Path, api: str, programs: Path) -> None:
        self.folder = folder
        # `python` and `django-admin` are those of the reader's environment.
        self._python = programs / "python"
        path = f"{programs}:{os.environ['PATH']}"
        self.environment = clean_environment(PATH=path, EVENTFLOW_API=api, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="")
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
        process = subprocess.Popen([self._python, "manage.py", "write_invoices"], cwd=self.folder, env=self.environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def block(containing: str) -> str:
    """The commands of the page that have this in them."""
    [found] = [body for body in _SHELL.findall((PROJECT / TUTORIAL).read_text()) if containing in body]
    return textwrap.dedent(found)


def follow_tutorial(folder: Path, *, api: str, email: str, password: str, programs: Path) -> None:
    """Do all that the page says, in an empty folder, with a server that is there; the times are shorter.

    Args:
        programs: where `python` and `django-admin` of the reader's environment are.
    """
    variables = {"API": api, "EMAIL": email, "PASSWORD": password}
    beginning = [each for each in commands_of(TUTORIAL) if "DEAD" not in each and "9000" not in each]
    hurried = [
        each.replace('"ack_wait": 10', '"ack_wait": 3').replace('"backoff": [1, 5]', '"backoff": [0]')
        for each in beginning
    ]
    assert hurried != beginning
    printed = run_commands([*hurried, "echo; echo token=$TOKEN key=$EVENTFLOW_KEY"], cwd=folder, **variables)
    token, key = printed.rpartition("token=")[2].strip().split(" key=")

    shop = Shop(folder, api, programs)
    shop.environment["EVENTFLOW_KEY"] = key
    shop.type(block("startproject"))
    shop.write_files()
    shop.type(block("makemigrations"))
    shop.type(block("send_events --once"))
    assert _ask(f"{api}/streams/orders/stats", token)["event_count"] == 200

    with shop.consumer() as consumer:
        wait_for("a first invoice", lambda: shop.invoices() > 0)
        consumer.send_signal(signal.SIGKILL)
        consumer.wait()
    assert 0 < shop.invoices() < 200, "it was killed in the middle of its work"

    with shop.consumer():
        wait_for("an invoice for every order", lambda: shop.orders_with_invoices() == 200, seconds=60)
        assert shop.invoices() == 200
        dead_letters = f"{api}/dead-letters?stream=orders&status=open"
        assert _ask(dead_letters, token)["data"] == [], "nothing was given up on"
        variables |= {"TOKEN": token, "EVENTFLOW_API": api, "EVENTFLOW_KEY": key}
        run_commands([block("9000}}'")], cwd=folder, **variables)
        wait_for("a dead letter", lambda: _ask(dead_letters, token)["data"], seconds=60)
        assert "KeyError('total')" in str(_ask(dead_letters, token)["data"])
        run_commands([block("export DEAD")], cwd=folder, **variables)
        wait_for("the invoice of what was mended", lambda: shop.invoices() == 201, seconds=60)


def _ask(url: str, token: str) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())
