"""A running installation seen from outside: known amounts go in, and every number that comes out agrees."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.run.conftest import prepared_home
from tests.run.instance import PROJECT, Instance, clean_environment, free_port, wait_for

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="the instance under test is watched through /proc"),
]

APPENDED, READ, COMMITTED, LEASED, ACKED, DEAD = 240, 100, 70, 30, 20, 4


class Outside:
    """Whoever looks at an installation over HTTP."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.key = self.manage("create_key", "admin@eventflow.local", "--name", "test", *SCOPES).strip()

    def manage(self, *arguments: str) -> str:
        env = clean_environment(EVENTFLOW_HOME=str(self.instance.home))
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> object:
        request = urllib.request.Request(
            f"{self.instance.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-API-Key": self.key, "Content-Type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.instance.url}{path}", timeout=60) as answer:
            return answer.read().decode()

    def metrics(self) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(self.text("/metrics"))
        return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


SCOPES = ("--scope", "produce", "--scope", "consume", "--scope", "manage")


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    instance = Instance(prepared_home(), WEB_WORKERS="2", LOG_LEVEL="INFO")
    try:
        found = Outside(instance.wait_until_greeted())
        bring_in(found)
        yield found
    finally:
        if instance.process.poll() is None:
            instance.stop()


def bring_in(outside: Outside) -> None:
    """Append, read, commit, lease, ack and give up on known amounts, over many connections and so both workers."""
    outside.ask("POST", "/streams", {"name": "orders", "partitions": 2, "retention": {"max_age": 86400}})
    groups = "/streams/orders/consumer-groups"
    outside.ask("POST", groups, {"name": "billing"})
    outside.ask("POST", groups, {"name": "shipping", "mode": "lease", "ack_wait": 3600})
    for number in range(APPENDED // 10):
        events = [{"stream": "orders", "payload": i, "type": f"t{i % 2}", "key": f"k{number}"} for i in range(10)]
        outside.ask("POST", "/events", events)
    heads = [outside.ask("GET", f"{groups}/billing/offsets")["data"][n]["head_offset"] for n in (0, 1)]
    assert sum(heads) == APPENDED
    largest = heads.index(max(heads))
    assert max(heads) >= READ
    got = outside.ask("GET", f"/streams/orders/events?partition={largest}&last_offset=0&limit={READ}")
    assert len(got) == READ
    outside.ask("POST", f"{groups}/billing/offsets", {"offsets": [{"partition": largest, "offset": COMMITTED}]})
    leased = outside.ask("POST", f"{groups}/shipping/lease", {"max_events": LEASED, "consumer": "c1"})["deliveries"]
    assert sum(len(each["events"]) for each in leased) == LEASED
    first = leased[0]
    assert len(first["events"]) >= ACKED
    failed = [{"offset": first["first_offset"] + n, "error": "no", "terminal": True} for n in range(DEAD)]
    token = {name: first[name] for name in ("delivery_id", "lease_token")}
    outside.ask("POST", f"{groups}/shipping/ack", {"deliveries": [{**token, "failed": failed}]})
    outside.first_size = len(first["events"])
    # Appended while both groups stand: they are refused, and refusals count, too.
    for _ in range(3):
        with pytest.raises(AssertionError, match="404"):
            outside.ask("GET", "/streams/nothing/events")


def test_metrics_stats_and_log_agree(outside):
    groups = "/streams/orders/consumer-groups"
    wait_for("the dead letters", lambda: len(outside.ask("GET", "/dead-letters?stream=orders")["data"]) == DEAD)
    stats = outside.ask("GET", "/streams/orders/stats")
    standing = {each["id"]: each for each in stats["consumer_groups"]}
    found = outside.metrics()

    exported = outside.manage("export_stream", "orders").splitlines()
    assert len(exported) == APPENDED
    assert stats["event_count"] == stats["head_offset"] == APPENDED
    assert sum(point["events"] for point in stats["series"]) == APPENDED
    assert found["eventflow_stream_appended_events_total", "orders"] == APPENDED
    assert found["eventflow_stream_events", "orders"] == APPENDED
    assert found["eventflow_appended_events_total",] == APPENDED
    assert found["eventflow_append_seconds_count",] == APPENDED // 10
    assert found["eventflow_read_events_total",] == READ
    assert found["eventflow_rejections_total", "stream_not_found"] == 3

    offsets = outside.ask("GET", f"{groups}/billing/offsets")["data"]
    assert sum(each["lag"] for each in offsets) == APPENDED - COMMITTED
    assert standing["billing"]["lag"] == APPENDED - COMMITTED
    assert found["eventflow_group_lag_events", "orders", "billing"] == APPENDED - COMMITTED
    assert found["eventflow_group_committed_offset", "orders", "billing"] == COMMITTED

    in_flight = LEASED - outside.first_size
    for name, expected in (("in_flight", in_flight), ("waiting", 0), ("dead_letters", DEAD)):
        assert standing["shipping"][name] == expected, name
    assert found["eventflow_group_in_flight_events", "orders", "shipping"] == in_flight
    assert found["eventflow_group_dead_letters_open", "orders", "shipping"] == DEAD
    assert standing["shipping"]["lag"] == found["eventflow_group_lag_events", "orders", "shipping"]
    assert outside.manage("verify_log", "orders") == ""


def test_every_worker_tells_the_same(outside):
    names = ("eventflow_appended_events_total", "eventflow_read_events_total", "eventflow_append_seconds_count")
    pages = [outside.metrics() for _ in range(8)]
    assert {tuple(page[name,] for name in names) for page in pages} == {(APPENDED, READ, APPENDED // 10)}


def test_what_worker_and_beat_count_is_on_the_page(outside):
    def has_ticked() -> bool:
        found = outside.metrics()
        tick = ("observability.record_tick",)
        return (
            found.get(("eventflow_tasks_sent_total", *tick), 0) >= 1
            and found.get(("eventflow_tasks_total", "succeeded", *tick), 0) >= 1
            and ("eventflow_heartbeat_timestamp_seconds", "beat") in found
        )

    wait_for("a tick", has_ticked)
    # How full the disk of this machine is, is its own affair.
    degraded = json.loads(outside.text("/readyz"))["degraded"]
    assert [each for each in degraded if not each.startswith("disk: ")] == []


def test_it_is_all_rolled_up_soon(outside):
    wait_for("the roll-up", lambda: outside.metrics()["eventflow_rollup_behind_events",] == 0)
    stats = outside.ask("GET", "/streams/orders/stats")
    assert stats["not_rolled_up"] == 0
    assert {each["type"]: each["events"] for each in stats["types"]} == {"t0": APPENDED / 2, "t1": APPENDED / 2}


def test_each_request_has_left_a_line_that_names_its_caller(outside):
    lines = [
        json.loads(line)
        for line in (outside.instance.home / "logs" / "web.log").read_text().splitlines()
        if line[:1] == "{"
    ]
    appends = [line for line in lines if line.get("route") == "api/v1/events" and line["status"] == 202]
    assert len(appends) == APPENDED // 10
    assert all(re.fullmatch(r"key:\w+", line["caller"]) and line["request_id"] for line in appends)
    assert outside.key not in (outside.instance.home / "logs" / "web.log").read_text()


@pytest.fixture
def prometheus(outside, tmp_path) -> Iterator[str]:
    """A real Prometheus that scrapes the instance, with our own rules."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PROJECT / "deploy" / "prometheus" / "alerts.yml")],
        "scrape_configs": [
            {"job_name": "eventflow", "static_configs": [{"targets": [f"127.0.0.1:{outside.instance.port}"]}]}
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    arguments = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, *arguments, f"--web.listen-address={address}"], stdout=log, stderr=log, env={**os.environ}
        )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def query(prometheus: str, expression: str) -> dict[tuple[str, ...], float]:
    text = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{text}", timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
    except (OSError, KeyError):
        return {}
    return {tuple(value for _, value in sorted(each["metric"].items())): float(each["value"][1]) for each in result}


def test_a_real_prometheus_gives_the_numbers_that_went_in(outside, prometheus):
    wait_for("a scrape", lambda: query(prometheus, "sum(up)") == {(): 1.0})

    def expect(expression: str, number: float) -> None:
        wait_for(
            f"{expression} = {number}, not {query(prometheus, expression)}",
            lambda: query(prometheus, expression) == {(): float(number)},
        )

    expect('sum(eventflow_stream_appended_events_total{stream="orders"})', APPENDED)
    expect("sum(eventflow_appended_events_total)", APPENDED)
    expect("sum(eventflow_append_seconds_count)", APPENDED // 10)
    expect('sum(eventflow_group_lag_events{group="billing"})', APPENDED - COMMITTED)
    expect('sum(eventflow_group_dead_letters_open{stream="orders"})', DEAD)
    expect('sum(eventflow_http_requests_total{route="api/v1/events",status="202"})', APPENDED // 10)
    expect("min(eventflow_database_up)", 1)
    expect("min(eventflow_database_durable)", 1)
    # Our alert on dead letters is waiting to fire for the group that has some.
    wait_for(
        "the alert",
        lambda: query(prometheus, 'count(ALERTS{alertname="EventFlowDeadLettersOpen",group="shipping"})') == {(): 1.0},
    )


def test_the_id_of_a_request_runs_through_to_what_the_worker_does_for_it(outside):
    """More dead letters than a request closes itself: the worker goes on, and logs under the request's id."""
    groups = "/streams/failing/consumer-groups"
    outside.ask("POST", "/streams", {"name": "failing"})
    outside.ask("POST", groups, {"name": "tries", "mode": "lease"})
    outside.ask("POST", "/events", [{"stream": "failing", "payload": n} for n in range(450)])
    for delivery in outside.ask("POST", f"{groups}/tries/lease", {"max_events": 450})["deliveries"]:
        token = {name: delivery[name] for name in ("delivery_id", "lease_token")}
        failed = [{"offset": event["offset"], "error": "no", "terminal": True} for event in delivery["events"]]
        outside.ask("POST", f"{groups}/tries/ack", {"deliveries": [{**token, "failed": failed}]})
    wanted = {"filter": {"stream": "failing"}, "dry_run": True}
    wait_for("450 dead letters", lambda: outside.ask("POST", "/dead-letters/discard", wanted)["count"] == 450)
    outside.ask("POST", "/dead-letters/discard", {**wanted, "dry_run": False}, {"X-Request-Id": "request-to-discard"})

    def lines(program: str) -> list[dict]:
        log = (outside.instance.home / "logs" / f"{program}.log").read_text().splitlines()
        found = [json.loads(line) for line in log if line[:1] == "{"]
        return [line for line in found if line.get("request_id") == "request-to-discard"]

    wait_for("the last step", lambda: [line["done"] for line in lines("worker") if "done" in line][-1:] == [450])
    assert [line["status"] for line in lines("web") if line["event"] == "request"] == [202]
    assert {line["task"] for line in lines("worker")} == {"consumers.continue_bulk_actions"}
    assert all(line["task_id"] for line in lines("worker"))


def test_ticks_that_succeed_leave_no_lines_and_tasks_that_fail_say_which_they_were(outside):
    table, hidden = "observability_heartbeat", "observability_hidden"

    def failures() -> list[dict]:
        log = (outside.instance.home / "logs" / "worker.log").read_text().splitlines()
        return [line for line in map(json.loads, (line for line in log if line[:1] == "{")) if line["level"] == "error"]

    outside.instance.rename_table(table, hidden)
    try:
        wait_for("a failed tick", failures)
    finally:
        outside.instance.rename_table(hidden, table)
    assert failures()[0]["event"] == "task_failed"
    assert failures()[0]["task"] == "observability.record_tick"
    for name in ("worker", "beat"):
        log = (outside.instance.home / "logs" / f"{name}.log").read_text()
        assert "task_succeeded" not in log
        assert "Sending due task" not in log
