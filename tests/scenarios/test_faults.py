"""Real faults under real load: whatever is killed, what was answered is true, and the rest comes back by itself.

Bounds are generous: this machine may be busy. The promises are tighter (docs/architecture.md).
"""

import os
import signal
import sys
import time

import pytest

from tests.live import LiveStream
from tests.run.instance import wait_for
from tests.scenarios.cluster import BACK, GROUP, STREAM, Cluster, Load

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

REFUSED_SECONDS = 12
BACK_SECONDS = 20
OFFSETS = f"/api/v1/streams/{STREAM}/consumer-groups/{GROUP}/offsets"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def assert_down(cluster: Cluster) -> None:
    """Every verb says 503 in good time; the process says that it lives, and that it is not ready."""
    for reply in (cluster.append([1]), cluster.poll(0), cluster.ask("POST", OFFSETS, {"offset": 1})):
        assert reply.status == 503, reply
        assert reply.headers["Retry-After"] == "1"
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.body["retryable"] is True
        assert reply.seconds < REFUSED_SECONDS
    assert cluster.ask("GET", "/healthz").status == 200
    ready = cluster.ask("GET", "/readyz")
    assert (ready.status, ready.body["status"]) == (503, "not ready")
    assert ready.seconds < REFUSED_SECONDS


def assert_back(cluster: Cluster) -> None:
    """Without a restart of anything but the server, on every worker."""
    started = time.monotonic()
    wait_for("an append that is stored", lambda: cluster.append([BACK]).is_durable, BACK_SECONDS)
    wait_for("ten in a row", lambda: all(cluster.append([BACK]).is_durable for _ in range(10)), BACK_SECONDS)
    wait_for("readiness", lambda: cluster.ask("GET", "/readyz").status == 200, BACK_SECONDS)
    assert time.monotonic() - started < BACK_SECONDS
    assert cluster.poll(0).status == 200


def test_postgres_that_is_gone_is_said_plainly_and_back_it_serves_again(cluster):
    before = len(cluster.whole_log())
    cluster.kill_postgres()
    assert_down(cluster)
    # By now there is no connection left on which something could have happened.
    refused = cluster.append(["never"])
    assert refused.is_refused
    cluster.start_postgres()
    assert_back(cluster)
    log = cluster.whole_log()
    assert [event["offset"] for event in log] == list(range(1, len(log) + 1))
    assert {event["payload"] for event in log[before:]} == {BACK}


def test_a_live_stream_stays_open_while_postgres_is_gone_and_goes_on_where_it_stood(cluster):
    headers = {"X_API_Key": cluster.key}
    with LiveStream(cluster.web.port, f"/streams/{STREAM}/events/live", timeout=60, **headers) as live:
        live.next_block()
        cluster.append(["before"])
        assert live.events(1)[0]["payload"] == "before"
        cluster.kill_postgres()
        # Longer than its right may be taken for what it was.
        time.sleep(3)
        cluster.start_postgres()
        assert_back(cluster)
        assert live.events(1)[0]["payload"] == BACK


def test_postgres_that_hangs_is_not_waited_for_and_goes_on_when_it_does(cluster):
    cluster.suspend_postgres()
    try:
        assert_down(cluster)
    finally:
        cluster.resume_postgres()
    assert_back(cluster)


def test_without_valkey_everything_but_timers_goes_on(cluster):
    cluster.kill_valkey()
    try:
        appended = cluster.append(["without valkey"])
        assert appended.status == 202
        offset = appended.body["events"][0]["offset"]
        assert cluster.poll(offset - 1).body[0]["payload"] == "without valkey"
        waited = cluster.ask("GET", f"/api/v1/streams/{STREAM}/events?last_offset={offset}&wait=0.2")
        assert waited.body == []
        committed = cluster.ask("POST", OFFSETS, {"offset": offset})
        assert committed.body["data"][0] == {"partition": 0, "committed_offset": offset, "status": "committed"}
        assert cluster.ask("GET", f"/api/v1/streams/{STREAM}/stats").body["head_offset"] == offset
        wrong = cluster.ask("POST", "/api/v1/auth/login", {"email": "nobody@example.com", "password": "x"})
        assert wrong.status == 401
        ready = cluster.ask("GET", "/readyz")
        assert ready.status == 200
        assert ready.body["degraded"]
        assert all(reply.seconds < REFUSED_SECONDS for reply in (appended, waited, committed, ready))
    finally:
        cluster.start_valkey()


def test_a_web_worker_that_is_killed_takes_nothing_with_it(cluster):
    with Load(cluster) as load:
        for _ in range(3):
            time.sleep(1.5)
            # On a busy machine the one before needs longer to come back; without any the server gives up.
            wait_for("both workers", lambda: len(cluster.web.worker_pids()) == 2)
            os.kill(cluster.web.worker_pids()[0], signal.SIGKILL)
        time.sleep(1.5)
    wait_for("both workers", lambda: len(cluster.web.worker_pids()) == 2)
    counts = load.check()
    assert counts["durable"] > 20, counts


def test_postgres_that_is_killed_under_load_loses_nothing_that_was_answered(cluster):
    with Load(cluster) as load:
        for _ in range(2):
            time.sleep(1.5)
            cluster.kill_postgres()
            time.sleep(0.5)
            cluster.start_postgres()
        time.sleep(2)
    assert_back(cluster)
    counts = load.check()
    assert counts["durable"] > 20, counts


def test_a_commit_that_was_answered_survives_the_end_of_postgres(cluster):
    log = cluster.append([f"to be committed {n}" for n in range(3)]).body["events"]
    for event in log:
        reply = cluster.ask("POST", OFFSETS, {"offset": event["offset"]})
        assert (reply.status, reply.body["data"][0]["status"]) == (200, "committed")
        cluster.kill_postgres()
        cluster.start_postgres()
        assert_back(cluster)
        standing = cluster.ask("GET", OFFSETS).body["data"][0]["committed_offset"]
        assert standing == event["offset"]


def test_a_backend_that_is_killed_under_load_loses_nothing_that_was_answered(cluster):
    with Load(cluster) as load:
        for _ in range(2):
            time.sleep(1.5)
            cluster.crash_a_backend()
        time.sleep(2)
    assert_back(cluster)
    counts = load.check()
    assert counts["durable"] > 20, counts


def test_a_server_that_is_asked_to_stop_finishes_what_it_accepted(cluster):
    with Load(cluster, producers=4) as load:
        time.sleep(1)
        started = time.monotonic()
        os.kill(cluster.web.process.pid, signal.SIGTERM)
        cluster.web.process.wait(30)
        assert time.monotonic() - started < 15
        cluster.web.__enter__()
        time.sleep(1)
    counts = load.check()
    assert counts["durable"] > 10, counts


def test_without_celery_every_exhausted_event_becomes_a_dead_letter_all_the_same(cluster):
    """The cluster has none: this is the whole test. Nacked, named as failed, terminal, or held and never heard of again."""
    groups = f"/api/v1/streams/{STREAM}/consumer-groups"
    group = f"{groups}/without-celery"
    settings = {"mode": "lease", "start": "latest", "ack_wait": 1, "backoff": [0], "max_failures": 2}
    assert cluster.ask("POST", groups, {"name": "without-celery", **settings}).status == 201
    appended = cluster.append([f"bad {n}" for n in range(12)])
    first, *_, last = (each["offset"] for each in appended.body["events"])
    assert last == first + 11
    dead: dict[int, str] = {}

    def all_dead() -> bool:
        for delivery in cluster.ask("POST", f"{group}/lease", {"max_events": 3}).body["deliveries"]:
            lease = {name: delivery[name] for name in ("delivery_id", "lease_token")}
            if delivery["first_offset"] < first + 3:
                cluster.ask("POST", f"{group}/nack", {"deliveries": [lease]})
            elif delivery["first_offset"] < first + 6:
                failed = [{"offset": n} for n in range(delivery["first_offset"], delivery["last_offset"] + 1)]
                cluster.ask("POST", f"{group}/ack", {"deliveries": [lease | {"failed": failed}]})
            elif delivery["first_offset"] < first + 9:
                cluster.ask("POST", f"{group}/nack", {"deliveries": [lease | {"terminal": True}]})
        found = cluster.ask("GET", "/api/v1/dead-letters?group=without-celery").body["data"]
        dead.update((each["offset"], each["reason"]) for each in found)
        return len(dead) == 12

    wait_for("twelve dead letters", all_dead, 60)
    terminal = range(first + 6, first + 9)
    assert dead == {n: "terminal" if n in terminal else "max_failures" for n in range(first, last + 1)}
    assert cluster.ask("GET", f"{group}/deliveries").body["data"] == []
    (offsets,) = cluster.ask("GET", f"{group}/offsets").body["data"]
    assert offsets["committed_offset"] == last
