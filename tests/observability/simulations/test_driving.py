"""Simulations: the right number at the right rate, once each, until they end."""

import threading
from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.utils import timezone
from structlog.contextvars import bound_contextvars, get_contextvars

from accounts.errors import InvalidParameter, QuotaExceeded, ScopeMissing
from accounts.roles import Role
from observability.errors import InvalidTemplate
from observability.models import SimulationRun
from observability.operations.simulations import services
from observability.operations.simulations.services import (
    SimulationPlan,
    drive_simulations,
    start_simulation,
    stop_simulation,
)
from streams.errors import InvalidEvents, StreamNotFound
from streams.log import get_log
from streams.lookup import load_stream
from streams.services.lifecycle import change_stream
from tests.factories import make_stream, make_user


@pytest.fixture
def stream(db_with_commits):
    return make_stream("simulated")


def start(stream, /, **changes) -> SimulationRun:
    plan = {
        "stream": stream.name,
        "event_type": "order.created",
        "key_template": "customer-{{int 1 5}}",
        "payload_template": '{"n": "{{sequence}}"}',
        "rate_per_second": 10,
        "duration_seconds": 60,
        "bad_percent": 0,
    } | changes
    caller = (plan.pop("by", None) or stream.owner).as_caller()
    return start_simulation(caller=caller, plan=SimulationPlan(**plan), now=timezone.now())


def events_of(stream) -> list[dict]:
    partition = load_stream(stream.name).partitions[0]
    result = get_log().read(partition, after=0, max_events=10_000, max_bytes=10_000_000)
    return [orjson.loads(event) for event in result.events]


def test_what_is_due_is_sent_and_marked(stream):
    run = start(stream)

    assert drive_simulations(now=run.started_at + timedelta(seconds=3)) == 30
    events = events_of(stream)
    assert [event["payload"]["n"] for event in events] == list(range(1, 31))
    assert {event["headers"]["eventflow-simulation"] for event in events} == {str(run.pk)}


def test_a_tick_that_comes_twice_sends_nothing_twice(stream):
    run = start(stream)
    now = run.started_at + timedelta(seconds=3)

    assert drive_simulations(now=now) == 30
    assert drive_simulations(now=now) == 0
    assert len(events_of(stream)) == 30


def test_a_tick_that_was_killed_after_its_append_is_not_repeated(stream):
    run = start(stream)
    now = run.started_at + timedelta(seconds=2)
    drive_simulations(now=now)
    # As if the process had died before it could count.
    SimulationRun.objects.filter(pk=run.pk).update(sent_count=0)

    drive_simulations(now=now + timedelta(seconds=5))

    events = events_of(stream)
    assert [event["payload"]["n"] for event in events] == list(range(1, len(events) + 1))
    run.refresh_from_db()
    assert run.sent_count == len(events) == 70


def test_two_workers_at_once_send_each_event_once(stream):
    run = start(stream, rate_per_second=100)
    barrier = threading.Barrier(2)

    def tick() -> None:
        barrier.wait()
        drive_simulations(now=run.started_at + timedelta(seconds=2))
        connection.close()

    workers = [threading.Thread(target=tick) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    numbers = [event["payload"]["n"] for event in events_of(stream)]
    assert len(numbers) == len(set(numbers))


def test_with_more_running_than_one_tick_can_drive_each_has_its_turn(stream, monkeypatch):
    monkeypatch.setattr(services, "MAX_RUNS_AT_ONCE", 2)
    runs = [start(stream) for _ in range(5)]
    for second in (1, 2, 3):
        drive_simulations(now=runs[-1].started_at + timedelta(seconds=second))
    sent = [SimulationRun.objects.get(pk=run.pk).sent_count for run in runs]
    assert min(sent) >= 10, "in three ticks of two each of the five has come once"


def test_one_user_has_no_more_running_than_the_quota_says(stream, settings):
    settings.QUOTAS = {**settings.QUOTAS, "simulations": 2}
    running = [start(stream) for _ in range(2)]
    with pytest.raises(QuotaExceeded) as refused:
        start(stream)
    assert refused.value.quota == "simulations"
    start(stream, by=make_user(Role.ADMIN))
    stop_simulation(run=running[0], now=timezone.now())
    start(stream)


def test_it_ends_when_all_is_sent(stream):
    run = start(stream, rate_per_second=5, duration_seconds=4)
    drive_simulations(now=run.started_at + timedelta(hours=1))

    run.refresh_from_db()
    assert (run.state, run.sent_count) == ("finished", 20)


def test_stopped_is_stopped(stream):
    run = start(stream)
    assert stop_simulation(run=run, now=timezone.now())
    assert not stop_simulation(run=run, now=timezone.now())

    assert drive_simulations(now=run.started_at + timedelta(seconds=9)) == 0
    assert events_of(stream) == []


def test_bad_events_are_counted_and_marked(stream):
    run = start(stream, bad_percent=100)
    drive_simulations(now=run.started_at + timedelta(seconds=1))

    run.refresh_from_db()
    assert run.bad_count == run.sent_count == 10
    assert all("eventflow-simulated-fault" in event["headers"] for event in events_of(stream))


def test_a_run_that_may_not_go_on_fails_and_says_why(stream):
    run = start(stream)
    change_stream(stream=stream, changes={"is_paused": True}, now=run.started_at)
    drive_simulations(now=run.started_at + timedelta(seconds=3))

    run.refresh_from_db()
    assert run.state == "failed"
    assert "paused" in run.failure


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"payload_template": "{"}, InvalidTemplate),
        ({"event_type": "not a type!"}, InvalidEvents),
        ({"rate_per_second": 0}, InvalidParameter),
        ({"rate_per_second": 1_001}, InvalidParameter),
        ({"duration_seconds": 3_601}, InvalidParameter),
        ({"bad_percent": 101}, InvalidParameter),
        ({"stream": "nowhere"}, StreamNotFound),
    ],
)
def test_what_could_not_send_is_not_started(stream, changes, error):
    with pytest.raises(error):
        start(stream, **changes)
    assert not SimulationRun.objects.exists()


def test_only_who_may_produce_starts_one(stream):
    with pytest.raises(ScopeMissing):
        start(stream, by=make_user(Role.CONSUMER))


def test_what_is_logged_about_a_run_carries_the_id_of_the_request_that_started_it(stream, caplog):
    with bound_contextvars(request_id="request-that-started"):
        run = start(stream, duration_seconds=1)
    seen = []
    caplog.handler.addFilter(
        lambda record: seen.append((record.getMessage(), get_contextvars().get("request_id"))) or True
    )

    with caplog.at_level("INFO"):
        drive_simulations(now=run.started_at + timedelta(seconds=9))

    assert ("simulation finished", "request-that-started") in seen
    assert "request_id" not in get_contextvars()
