"""The commands that the documents print work as printed."""

import json
import re
import shutil

import pytest

from accounts.roles import Role
from tests.client import ApiClient
from tests.conventions.commands import commands_of, run_commands, serving
from tests.factories import make_group, make_key, make_owner, make_stream, make_user

pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("db_with_commits"),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"),
]


@pytest.fixture
def demo() -> str:
    """What `make run` prepares; the value is the key's text."""
    owner = make_owner()
    make_group(make_stream("demo", owner=owner), "demo-readers")
    return make_key(owner)


def test_the_readme_leads_from_a_first_event_to_a_commit(demo, tmp_path):
    commands = [command.replace("wait=20", "wait=0.2") for command in commands_of("README.md")]
    with serving() as api:
        printed = run_commands(commands, cwd=tmp_path, API=api, KEY=demo)
    assert '"offset":1' in printed
    assert '"accepted":2' in printed
    assert '"committed_offset":5' in printed
    assert printed.endswith("[]")


def test_the_front_page_of_the_documents(demo, tmp_path):
    with serving() as api:
        printed = run_commands(commands_of("docs/index.md"), cwd=tmp_path, API=api, KEY=demo)
    assert '"order_id": 42' in printed
    assert '"committed_offset":1' in printed


def test_the_api_guide_uses_every_group_of_endpoints(tmp_path):
    make_user(*Role, email="admin@eventflow.local", password="a long enough password")
    # The tests' PostgreSQL does not wait for the disk, and /readyz rightly complains: 503.
    commands = [command for command in commands_of("docs/api.md") if "/readyz" not in command]
    with serving() as api:
        printed = run_commands(
            commands,
            cwd=tmp_path,
            API=api,
            EMAIL="admin@eventflow.local",
            PASSWORD="a long enough password",
        )
    assert '"order_id": 43' in printed


def test_the_page_about_consuming(demo, tmp_path):
    ApiClient(key=demo).post("/events", {"stream": "demo", "payload": 1})
    with serving() as api:
        run_commands(commands_of("docs/consuming.md"), cwd=tmp_path, API=api, KEY=demo)


def test_the_page_about_events_for_later(demo, tmp_path):
    with serving() as api:
        printed = run_commands(commands_of("docs/events-for-later.md"), cwd=tmp_path, API=api, KEY=demo)
    assert '"deliver_after":2,"expires_after":3600' in printed


def test_the_page_about_cloudevents(demo, tmp_path):
    with serving() as api:
        printed = run_commands(commands_of("docs/cloudevents.md"), cwd=tmp_path, API=api, KEY=demo)
    assert '"accepted":2' in printed
    assert '"subject":"order 44"' in printed
    assert printed.count('"specversion":"1.0"') == 5


def test_the_recipes_for_curl(demo, tmp_path):
    commands = [command.replace("wait=20", "wait=0.2") for command in commands_of("docs/client-recipes-curl.md")]
    with serving() as api:
        printed = run_commands(commands, cwd=tmp_path, EVENTFLOW_API=api, EVENTFLOW_KEY=demo)
    answers = re.findall(r'{"id":"[^}]*}', printed)
    assert len(answers) == 2
    assert len(set(answers)) == 1, "the second answer is the first one"
    assert '"accepted":3' in printed
    assert '"committed_offset":4' in (tmp_path / "committed.json").read_text()
    assert [event["offset"] for event in json.loads((tmp_path / "pages.json").read_text())] == [1, 2, 3, 4]


def test_the_page_about_metrics(tmp_path):
    with serving() as api:
        assert "eventflow_streams" in run_commands(commands_of("docs/metrics.md"), cwd=tmp_path, API=api)
