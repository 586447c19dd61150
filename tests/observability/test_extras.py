"""The two extras, against receivers on loopback: traces for OpenTelemetry, errors for Sentry. Off by default."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from observability.telemetry.error_reports import clean
from tests.factories import make_key, make_owner, make_stream
from tests.run.conftest import prepared_home
from tests.run.instance import PROJECT, Instance, free_port, wait_for
from tests.web_server import WebServer

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="the instance under test is watched through /proc"),
]


class Receiver:
    """A collector of traces and reports: it keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        received = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                received.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[dict]:
        found = []
        for path, body in list(self.bodies):
            if path != "/v1/traces":
                continue
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
                for scope in resource.scope_spans:
                    found += [described(span, service) for span in scope.spans]
        return found

    def reports(self) -> list[dict]:
        found = []
        for path, body in list(self.bodies):
            if path == "/api/1/envelope/":
                lines = [line for line in body.split(b"\n") if line]
                found += [
                    json.loads(lines[n + 1])
                    for n, line in enumerate(lines[:-1])
                    if json.loads(line).get("type") == "event"
                ]
        return found


def plain(value) -> object:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return tuple(plain(each) for each in found.values) if kind == "array_value" else found


def described(span, service: str) -> dict:
    values = {each.key: plain(each.value) for each in span.attributes}
    ids = {"trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex()}
    links = [(each.trace_id.hex(), each.span_id.hex()) for each in span.links]
    return {"name": span.name, "service": service, "status": span.status.code, "links": links, **ids, **values}


class Watched:
    """An installation that tells the receiver everything."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.instance = Instance(
            prepared_home(),
            EVENTFLOW_TRACES="true",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{self.receiver.address}",
            OTEL_BSP_SCHEDULE_DELAY="200",
            SENTRY_DSN=f"http://public@{self.receiver.address}/1",
        ).wait_until_greeted()
        self.key = re.findall(r"evf_live_\w+", self.instance.terminal)[0]

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> int:
        try:
            with self.open(method, path, body, **headers) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def answer(self, method: str, path: str, body: object = None, **headers: str) -> dict:
        with self.open(method, path, body, **headers) as answer:
            return json.load(answer)

    def open(self, method: str, path: str, body: object, **headers: str) -> Any:
        request = urllib.request.Request(
            f"{self.instance.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-API-Key": self.key, "Content-Type": "application/json", **headers},
            method=method,
        )
        return urllib.request.urlopen(request, timeout=60)

    def span(self, **wanted: object) -> dict:
        def matching() -> list[dict]:
            return [span for span in self.receiver.spans() if wanted.items() <= span.items()]

        wait_for(f"a span with {wanted}", matching)
        return matching()[0]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    found = Watched()
    try:
        yield found
    finally:
        found.instance.stop()
        found.receiver.server.shutdown()


def test_a_request_is_a_span_with_its_route_and_its_request_id(watched):
    path = "/streams/demo/events?last_offset=0&wait=0"
    assert watched.ask("GET", path, **{"X-Request-Id": "request-of-a-reader"}) == 200

    span = watched.span(**{"eventflow.request_id": "request-of-a-reader"})
    assert span["name"] == "GET api/v1/streams/<str:stream>/events" == f"GET {span['http.route']}"
    assert span["service"] == "eventflow"
    assert span["http.response.status_code"] == 200
    assert span["url.path"] == "/api/v1/streams/demo/events"
    assert span["eventflow.caller"].startswith("key:")
    assert span["parent"] == ""


def test_a_request_joins_its_callers_trace_and_statements_are_its_children(watched):
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    assert watched.ask("GET", "/streams/demo/stats", traceparent=f"00-{trace}-{parent}-01") == 200

    request = watched.span(trace=trace, parent=parent)
    statement = watched.span(trace=trace, parent=request["id"], name="SELECT")
    assert statement["db.system.name"] == "postgresql"
    # The key may be looked up as well, or be remembered: either statement names its parameters, or counts them.
    assert re.search(r"%(\(\w+\))?[sb]", statement["db.query.text"]), "parameters stay out"
    assert "demo" not in statement["db.query.text"]


def test_appends_lease_and_what_is_said_of_it_are_linked(watched):
    group = "/streams/demo/consumer-groups/traced"
    assert (
        watched.ask("POST", "/streams/demo/consumer-groups", {"name": "traced", "mode": "lease", "start": "latest"})
        == 201
    )
    caller = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    events = "/streams/demo/events"
    assert watched.ask("POST", events, {"payload": 1}, traceparent=caller) == 202
    assert watched.ask("POST", events, {"payload": 2}, **{"X-Request-Id": "request-without-trace"}) == 202
    append = watched.span(**{"eventflow.request_id": "request-without-trace"})

    (delivery,) = watched.answer("POST", f"{group}/lease", {}, **{"X-Request-Id": "request-to-lease"})["deliveries"]
    lease = watched.span(**{"eventflow.request_id": "request-to-lease"})
    assert lease["links"] == [("1af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), (append["trace"], append["id"])]
    assert lease["eventflow.delivery_ids"] == (delivery["delivery_id"],)

    held = watched.span(name="lease", **{"eventflow.delivery_ids": (delivery["delivery_id"],)})
    assert held["links"] == [(lease["trace"], lease["id"]), *lease["links"]]
    assert held["parent"] == ""
    named = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}
    token = delivery["lease_token"].replace("-", "")
    assert token not in (held["trace"], held["trace"] + held["id"])
    for verb in ("extend", "ack"):
        asked = {"X-Request-Id": f"request-to-{verb}"}
        assert watched.ask("POST", f"{group}/{verb}", {"deliveries": [named]}, **asked) == 200
        said = watched.span(**{"eventflow.request_id": f"request-to-{verb}"})
        assert said["links"] == [(held["trace"], held["id"])]
        assert said["eventflow.delivery_ids"] == lease["eventflow.delivery_ids"]


@pytest.mark.parametrize(("verb", "more"), [("nack", {"error": "no"}), ("release", {})])
def test_several_leases_that_something_is_said_of_are_each_linked_to(watched, verb, more):
    name = f"of-{verb}"
    group = f"/streams/demo/consumer-groups/{name}"
    made = {"name": name, "mode": "lease", "start": "latest"}
    assert watched.ask("POST", "/streams/demo/consumer-groups", made) == 201
    deliveries, held = [], []
    for number in range(2):
        assert watched.ask("POST", "/streams/demo/events", {"payload": number}) == 202
        (delivery,) = watched.answer("POST", f"{group}/lease", {"max_events": 1})["deliveries"]
        deliveries.append({"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"], **more})
        span = watched.span(name="lease", **{"eventflow.delivery_ids": (delivery["delivery_id"],)})
        held.append((span["trace"], span["id"]))
    asked = {"X-Request-Id": f"request-to-{verb}"}
    assert watched.ask("POST", f"{group}/{verb}", {"deliveries": deliveries}, **asked) == 200
    assert watched.span(**{"eventflow.request_id": f"request-to-{verb}"})["links"] == held


def test_a_caller_who_asks_for_no_trace_leaves_none(watched):
    silent = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-b7ad6b7169203331-00"
    assert watched.ask("GET", "/streams", traceparent=silent, **{"X-Request-Id": "request-unseen"}) == 200
    assert watched.ask("GET", "/streams", **{"X-Request-Id": "request-after-it"}) == 200

    watched.span(**{"eventflow.request_id": "request-after-it"})
    assert "request-unseen" not in {span.get("eventflow.request_id") for span in watched.receiver.spans()}


def test_the_workers_tasks_are_spans_too(watched):
    task = watched.span(name="task observability.record_tick")
    assert task["eventflow.task_id"]
    assert watched.span(trace=task["trace"], parent=task["id"])["db.system.name"] == "postgresql"


def test_an_unexpected_error_is_reported_with_its_request_id_and_without_secrets(watched):
    assert watched.receiver.reports() == [], "nothing was wrong so far"
    table, hidden = "observability_streamminute", "observability_hidden"
    watched.instance.rename_table(table, hidden)
    try:
        path = f"/streams/demo/stats?window=1h&key={watched.key}"
        assert watched.ask("GET", path.partition("&")[0], **{"X-Request-Id": "request-that-broke"}) == 500
    finally:
        watched.instance.rename_table(hidden, table)

    wait_for("the report", lambda: any(of_request(r, "request-that-broke") for r in watched.receiver.reports()))
    (report,) = [each for each in watched.receiver.reports() if of_request(each, "request-that-broke")]
    assert report["exception"]["values"][-1]["type"] == "ProgrammingError"
    assert report["logentry"]["message"] == "unexpected error"
    assert not {"request", "user", "breadcrumbs"} & report.keys()
    frames = [frame for value in report["exception"]["values"] for frame in value["stacktrace"]["frames"]]
    assert not any("vars" in frame for frame in frames)
    watched.span(**{"eventflow.request_id": "request-that-broke", "status": 2})


def of_request(report: dict, request_id: str) -> bool:
    return report.get("tags", {}).get("request_id") == request_id


def test_nothing_secret_left_the_installation(watched):
    secrets = dict(
        line.split("=", 1) for line in (watched.instance.home / "secrets.env").read_text().splitlines() if "=" in line
    )
    hidden = {watched.key, *(value.strip("'\"") for name, value in secrets.items() if name != "EVENTFLOW_ADMIN_EMAIL")}
    everything = b"".join(body for _, body in watched.receiver.bodies)
    assert len(everything) > 1_000
    for secret in hidden:
        assert len(secret) > 8
        assert secret.encode() not in everything


def test_what_is_reported_is_cleaned_however_deep_it_is():
    key = "evf_live_" + "a" * 12 + "_" + "b" * 40
    report = {"extra": {"note": [f"with {key}", 1, None], "password": "open", "deep": {"api_key": [key]}}}
    assert clean(report) == {
        "extra": {
            "note": ["with evf_live_aaaaaaaaaaaa_[redacted]", 1, None],
            "password": "[redacted]",
            "deep": {"api_key": "[redacted]"},
        }
    }


@pytest.mark.usefixtures("db_with_commits")
def test_a_collector_that_is_away_holds_up_neither_requests_nor_the_stop():
    owner = make_owner()
    make_stream("orders", owner=owner)
    key = make_key(owner)
    nobody = f"127.0.0.1:{free_port()}"
    with WebServer(
        EVENTFLOW_TRACES="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{nobody}",
        OTEL_BSP_SCHEDULE_DELAY="100",
        SENTRY_DSN=f"http://public@{nobody}/1",
    ) as web:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        for _ in range(20):
            request = urllib.request.Request(
                f"{web.url}/api/v1/events", b'{"stream":"orders","payload":1}', headers, method="POST"
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 202
        time.sleep(0.5)
        started = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        web.process.wait(30)
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("missing", "variables"),
    [("opentelemetry", {"EVENTFLOW_TRACES": "true"}), ("sentry_sdk", {"SENTRY_DSN": "http://public@127.0.0.1:9/1"})],
)
def test_an_extra_that_is_not_installed_is_missed_only_when_it_is_switched_on(missing, variables):
    program = f"import sys; sys.modules[{missing!r}] = None; import django; django.setup(); print('started')"

    def start(**environment: str) -> subprocess.CompletedProcess:
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "eventflow_site.settings", **environment}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=60)

    assert start().stdout == "started\n"
    refused = start(**variables)
    assert refused.returncode != 0
    assert "-r requirements-extras.txt" in refused.stderr.splitlines()[-1]
