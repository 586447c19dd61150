"""Beat sends ticks for as long as somebody takes them."""

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery.beat import ScheduleEntry
from django.conf import settings

from eventflow_site.background import beat
from eventflow_site.background.beat import Ticks, make_app

TASK = "observability.record_tick"


@pytest.fixture
def ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    monkeypatch.setattr(beat, "MOST_WAITING", 3)
    # Celery asks the environment before the settings.
    monkeypatch.setenv("CELERY_BROKER_URL", "memory://")
    app = make_app()
    app.conf.broker_transport_options = {}
    app.conf.task_default_queue = f"ticks-of-{tmp_path.name}"
    app.conf.beat_schedule = {}
    return Ticks(app=app, schedule_filename=str(tmp_path / "schedule"))


def send(ticks: Ticks, count: int) -> None:
    for _ in range(count):
        ticks.apply_entry(ScheduleEntry(name="tick", task=TASK, schedule=1.0, app=ticks.app), producer=ticks.producer)


def take(ticks: Ticks, count: int) -> int:
    """Take ticks as a worker does; return how many there were."""
    channel = ticks.producer.channel
    found = [channel.basic_get(ticks.app.conf.task_default_queue, no_ack=True) for _ in range(count)]
    return len([each for each in found if each is not None])


def test_without_a_worker_ticks_do_not_pile_up_and_with_one_they_go_on(ticks, caplog):
    with caplog.at_level(logging.WARNING):
        send(ticks, 50)
    assert [record.getMessage() for record in caplog.records] == [
        "3 ticks wait and no worker takes them: no more are sent until one does"
    ]
    assert take(ticks, 2) == 2
    send(ticks, 50)
    assert take(ticks, 100) == 3


def test_a_clock_that_is_set_back_stops_no_ticks(ticks, monkeypatch):
    right_time = ticks.app.now
    ahead, behind = (lambda hours=hours: right_time() + timedelta(hours=hours) for hours in (1, -1))
    monkeypatch.setattr(ticks.app, "now", ahead)
    ticks.add(name="tick", task=TASK, schedule=0.05)
    assert ticks_until(ticks, 1) == 1

    for now in (right_time, behind):
        monkeypatch.setattr(ticks.app, "now", now)
        assert ticks_until(ticks, 2) == 2


@pytest.mark.parametrize("name", settings.CELERY_BEAT_SCHEDULE)
def test_a_worker_whose_clock_is_somewhat_ahead_takes_ticks_all_the_same(ticks, name):
    ticks.add(name=name, **settings.CELERY_BEAT_SCHEDULE[name])
    ticks.apply_entry(ticks.schedule[name], producer=ticks.producer)

    message = ticks.producer.channel.basic_get(ticks.app.conf.task_default_queue, no_ack=True)

    assert datetime.fromisoformat(message.headers["expires"]) > datetime.now(UTC) + timedelta(seconds=20)


def ticks_until(ticks: Ticks, count: int) -> int:
    """Let time pass as beat does; return how many ticks were there to take within two seconds."""
    taken, deadline = 0, time.monotonic() + 2
    while taken < count and time.monotonic() < deadline:
        time.sleep(max(0.0, min(ticks.tick(), 0.05)))
        taken += take(ticks, count - taken)
    return taken
