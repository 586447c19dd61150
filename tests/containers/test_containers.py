"""The image is built, and run as deploy/compose.yaml says: one process in each container, on a root nobody can write to."""

import json
import threading
from dataclasses import dataclass
from functools import partial

import pytest

from eventflow_site.layout import PACKAGES
from tests.containers.base import BASE
from tests.containers.engine import Container, Engine
from tests.containers.installation import Installation, Site, grace_seconds
from tests.run.instance import wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("makes a base image of Debian's packages, builds ours on it, and runs four containers"),
]

ADA = "ada@example.com"
PROGRAMS = ("web", "worker", "beat")
_EVERYTHING = "import os; print(*(os.path.join(d, f) for d, _, files in os.walk('/opt') for f in files), sep='\\n')"
# Directories that the user of the image may write to, but for what the kernel makes.
_WRITABLE = """
import os
for place, directories, _ in os.walk("/"):
    directories[:] = [name for name in directories if os.path.join(place, name) not in ("/proc", "/sys", "/dev")]
    if os.access(place, os.W_OK):
        print(place)
        directories.clear()
"""


@dataclass
class Running:
    """What `docker compose up` leaves running, and an owner's key for it."""

    containers: dict[str, Container]
    site: Site


@pytest.fixture(scope="module")
def running(installed: Installation) -> Running:
    web = installed.start("web").wait_until_healthy()
    site = Site(web)
    # Nobody has migrated yet.
    assert site.ask("/readyz")[0] == 503
    assert "`eventflow manage migrate`" in str(site.readiness()["reasons"])
    migrate = installed.start("migrate")
    assert migrate.wait_for_end() == 0, migrate.log
    wait_for("readiness", lambda: site.ask("/readyz")[0] == 200)

    manage = partial(web.ask, "eventflow", "manage")
    manage("create_user", ADA, "--role=producer", "--role=consumer", EVENTFLOW_PASSWORD="a-long-password-of-ada")
    manage("create_stream", "orders", f"--owner={ADA}")
    key = manage("create_key", ADA, "--name=shop", "--scope=produce", "--scope=consume", "--stream=orders")
    site.key = key.strip()
    return Running({"web": web, "worker": installed.start("worker"), "beat": installed.start("beat")}, site)


# --- the image ---


def test_it_has_the_package_and_neither_the_repository_nor_what_installs(engine: Engine, image: str) -> None:
    files = engine.ask("run", "--rm", image, "python", "-c", _EVERYTHING).split()
    assert {file.split("/")[2] for file in files} == {"venv"}
    assert [file for file in files if "/bin/pip" in file] == []
    packages = {file.partition("/site-packages/")[2].partition("/")[0] for file in files}
    assert {*PACKAGES, "django"} <= packages
    assert packages.isdisjoint({"pip", "setuptools", "hatchling", "tests", "docs", "deploy", "benchmarks"})


def test_its_user_is_nobody_in_particular_and_may_write_only_where_data_goes(engine: Engine, image: str) -> None:
    assert engine.inspect(image)["Config"]["User"] == "10001:10001"
    ours, of_the_base = (
        set(engine.ask("run", "--rm", "--user", "10001:10001", each, "python3", "-c", _WRITABLE).split())
        for each in (image, BASE)
    )
    assert ours - of_the_base == {"/run/eventflow", "/var/lib/eventflow"}


def test_without_its_variables_it_says_which_one_is_missing_and_ends(engine: Engine, image: str) -> None:
    done = engine.run("run", "--rm", image, "eventflow", "manage", "migrate")
    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr


# --- containers ---


def test_what_is_appended_is_read_back(running: Running) -> None:
    appended = running.site.ask("/api/v1/events", {"stream": "orders", "payload": {"order_id": 42}})
    assert appended[0] == 202, appended
    status, read = running.site.ask("/api/v1/streams/orders/events?last_offset=0")
    assert status == 200
    assert [event["payload"] for event in json.loads(read)] == [{"order_id": 42}]


def test_beat_ticks_and_the_worker_works_and_the_web_server_tells_of_both(running: Running) -> None:
    wait_for("a tick", lambda: running.site.readiness().get("degraded") == [])
    wait_for("the worker's counts", lambda: 'eventflow_tasks_total{outcome="' in running.site.metrics())
    wait_for("beat's counts", lambda: "eventflow_tasks_sent_total{" in running.site.metrics())


@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_is_root_has_a_capability_or_can_gain_one(running: Running, program: str) -> None:
    said = running.containers[program].ask("python", "-c", "print(open('/proc/1/status').read())")
    status = dict(line.split(":\t") for line in said.splitlines() if ":\t" in line)
    assert status["Uid"].split() == status["Gid"].split() == ["10001"] * 4
    assert {int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_can_be_written_but_in_tmp_and_with_the_counters(running: Running, program: str) -> None:
    container = running.containers[program]
    assert sorted(container.ask("python", "-c", _WRITABLE).split()) == ["/run/eventflow", "/tmp"]
    refused = container.execute("python", "-c", "open('/opt/venv/x', 'w')")
    assert "Read-only file system" in refused.stderr
    assert "Read-only file system" not in container.log


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_container_is_one_program(running: Running, program: str) -> None:
    command = running.containers[program].ask("python", "-c", "print(open('/proc/1/cmdline').read())").split("\0")
    modules = ("eventflow_site.front.granian", "eventflow_site.background.worker", "eventflow_site.background.beat")
    assert [module for module in modules if module in command] == [modules[PROGRAMS.index(program)]]


def test_the_health_check_notices_a_web_server_that_does_not_answer(
    running: Running, engine: Engine, image: str
) -> None:
    assert running.containers["web"].is_healthy()
    idle = Container(engine, image, "sleep", "60")
    assert not idle.is_healthy()
    idle.stop(grace_seconds=0)


def test_asked_to_end_each_does_so_by_itself_and_what_was_accepted_is_answered(
    running: Running, installed: Installation
) -> None:
    answers: list[tuple[int, str]] = []
    # For longer than compose.yaml gives the web server to end.
    path = "/api/v1/streams/orders/events?last_offset=latest&wait=20"
    poll = threading.Thread(target=lambda: answers.append(running.site.ask(path)), daemon=True)
    poll.start()
    wait_for("the poll", lambda: "\neventflow_waiting_polls 1" in running.site.metrics())

    ended = {name: container.stop(grace_seconds=grace_seconds(name)) for name, container in running.containers.items()}

    assert ended == dict.fromkeys(PROGRAMS, 0)
    poll.join(30)
    assert [status for status, _ in answers] == [200]

    # What was stored before is there for the next one.
    again = Site(installed.start("web").wait_until_healthy(), running.site.key)
    assert '"order_id":42' in again.ask("/api/v1/streams/orders/events?last_offset=0")[1].replace(" ", "")
