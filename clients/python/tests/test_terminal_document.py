"""What docs/terminal.md tells a reader to type works, in its order, as one script."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eventflow_client import EventFlow
from eventflow_client.terminal import exit_codes
from eventflow_client.terminal.subcommands import OWN
from running import stored
from shell import SOURCE

from accounts.roles import Role
from tests.factories import make_key, make_stream, make_user

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not shutil.which("bash"), reason="needs bash"),
]
DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "terminal.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
PASSWORD = "a long enough password"


@pytest.fixture
def person(web):
    """Who may do all of it, and has what `make run` prepares."""
    person = make_user(*Role, email="you@example.com", password=PASSWORD)
    for name in ("demo", "copies"):
        make_stream(name, owner=person)
    return person


def script_of(url: str) -> str:
    """The page's commands, with what its reader would type when asked, and without what takes long."""
    text = "".join(BLOCKS)
    for there, here in {
        "pip install eventflow-client\n": "",
        "http://127.0.0.1:8000": url,
        "eventflow login": 'EVENTFLOW_KEY="$KEY" EVENTFLOW_PASSWORD="$PASSWORD" eventflow login',
        "--for produce,consume": "--for produce,consume --wait 0.5",
        "bench --yes": "bench --yes --seconds 0.3 --connections 2",
    }.items():
        assert there in text
        text = text.replace(there, here)
    return f"set -euo pipefail\n{text}"


def fail_for_good(client: EventFlow, stream: str, group: str, *, error: str) -> None:
    """Make a dead letter of the first event, as a consumer does that gives up on it."""
    client.groups.create(stream, group, mode="lease", max_failures=1)
    path = f"/streams/{stream}/consumer-groups/{group}"
    (delivery,) = client.request("POST", f"{path}/lease", {})["deliveries"]
    names = {name: delivery[name] for name in ("delivery_id", "lease_token")}
    client.request("POST", f"{path}/nack", {"deliveries": [{**names, "error": error, "terminal": True}]})
    # No worker runs here; a lease moves what is exhausted.
    client.request("POST", f"{path}/lease", {})


def test_all_of_it(web, person, tmp_path):
    key = make_key(person)
    command = tmp_path / "bin" / "eventflow"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m eventflow_client.terminal "$@"\n')
    command.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EVENTFLOW_")},
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
        "EVENTFLOW_CONFIG": str(tmp_path / "config"),
        "KEY": key,
        "PASSWORD": PASSWORD,
    }
    with EventFlow(web.url, key=key) as client:
        client.groups.create("demo", "demo-readers")
        client.send("demo", "one that fails")
        fail_for_good(client, "demo", "mailer", error="no such customer")

        done = subprocess.run(
            ["bash", "-c", script_of(web.url)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=tmp_path,
        )

        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert [each["payload"] for each in stored(client, "demo")] == [
            *("one that fails", {"order_id": 42}, "just words", {"appointment": 7}),
            *({"order_id": number} for number in (43, 44, 45, 46, 47)),
        ]
        assert len(stored(client, "copies")) == 7
        assert [each.status for each in client.dead_letters.list(stream="demo")] == ["redriven"]
        assert {stream.name for stream in client.streams.list(owner=person.email)} == {"demo", "copies"}
    assert key not in done.stdout + done.stderr


def test_every_subcommand_is_told_and_every_exit_code():
    assert [name for name in OWN if f"eventflow {name}" not in DOCUMENT and f"`{name}" not in DOCUMENT] == []
    told = {int(code) for cells in re.findall(r"^\| ([\d, ]+) \|", DOCUMENT, re.MULTILINE) for code in cells.split(",")}
    assert told == {value for name, value in vars(exit_codes).items() if name.isupper()}
