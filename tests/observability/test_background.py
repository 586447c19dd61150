"""What retention, merging and roll-ups do is seen: when they ran, what they did, and what they have not come to."""

import html
import re
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from observability import tasks as observability_tasks
from observability.dashboard.queries import background
from observability.models import Heartbeat
from observability.numbers.background import load_backlog
from observability.telemetry import heartbeat
from streams import tasks
from streams.conf import MAX_BATCH_EVENTS
from streams.models import Stream
from streams.services.merging import merge_small_batches
from tests.factories import make_stream, make_user
from tests.observability.appending import append as append_types
from tests.observability.test_metrics_page import samples, scrape

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    background.forget_background()
    yield
    background.forget_background()


def append(stream, *batches):
    for size in batches:
        append_types(stream, *["order.created"] * size)


def overview_of(*roles):
    browser = Client()
    browser.force_login(make_user(*roles), "django.contrib.auth.backends.ModelBackend")
    background.forget_background()
    return " ".join(browser.get("/").content.decode().split())


def note_of(page, name):
    found = re.search(rf'strong">{name}</span> <span class="push small (\w+)">([^<]*)</span>', page)
    assert found is not None
    return found[1], html.unescape(found[2])


# --- what is written down --------------------------------------------------------------------------------


def test_a_run_leaves_when_it_was_and_what_it_did():
    stream = make_stream(retention_max_events=1)
    append(stream, 3, 1)
    before = timezone.now()

    tasks.delete_expired_events.apply()

    beat = Heartbeat.objects.get(name="retention")
    assert before <= beat.ticked_at == beat.done_at <= timezone.now()
    assert (beat.done, beat.failed_at) == (3, None)


def test_a_run_that_found_nothing_leaves_what_the_one_before_did():
    append(make_stream(retention_max_events=1), 3, 1)
    tasks.delete_expired_events.apply()
    first = Heartbeat.objects.get(name="retention")
    tasks.delete_expired_events.apply()
    second = Heartbeat.objects.get(name="retention")
    assert second.ticked_at > first.ticked_at
    assert (second.done, second.done_at) == (first.done, first.done_at) == (3, first.ticked_at)


def test_each_of_the_three_is_written_down_by_its_name_and_no_other_task_is():
    append(make_stream(), 2)
    for task in (tasks.merge_small_batches, observability_tasks.roll_up, observability_tasks.sample_disk):
        task.apply()
    assert list(Heartbeat.objects.order_by("name").values_list("name", "done")) == [("merging", None), ("roll-ups", 2)]


def test_one_that_fails_is_written_down_and_keeps_when_it_last_succeeded():
    tasks.delete_expired_events.apply()
    before = Heartbeat.objects.get(name="retention")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE streams_stream RENAME TO out_of_reach")
    try:
        assert isinstance(tasks.delete_expired_events.apply().result, DatabaseError)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO streams_stream")
    after = Heartbeat.objects.get(name="retention")
    assert after.ticked_at == before.ticked_at < after.failed_at


def test_a_run_is_good_even_if_that_cannot_be_written_down(caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE observability_heartbeat RENAME TO out_of_reach")
    try:
        assert tasks.delete_expired_events.apply().result == 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO observability_heartbeat")
    assert "what retention did could not be written down: ProgrammingError" in caplog.messages


# --- what is to be done yet ------------------------------------------------------------------------------


def test_what_waits_to_be_merged_and_to_be_counted_is_told():
    stream = make_stream()
    append(stream, *[1] * 100)
    backlog = load_backlog(now=timezone.now())
    assert (backlog.not_rolled_up, backlog.not_merged, backlog.overdue_streams) == (100, 100, 0)
    merge_small_batches(now=timezone.now() + timedelta(minutes=1), seconds=60)
    observability_tasks.roll_up()
    backlog = load_backlog(now=timezone.now())
    assert (backlog.not_rolled_up, backlog.not_merged) == (0, 0)


@pytest.mark.parametrize(
    ("limits", "later", "overdue"),
    [
        ({}, timedelta(days=999), 0),
        ({"max_events": 100}, timedelta(), 1),
        ({"max_events": 1_900}, timedelta(), 0),
        ({"max_age_seconds": 3_600}, timedelta(hours=1, minutes=10), 0),
        ({"max_age_seconds": 3_600}, timedelta(hours=1, minutes=12), 1),
        ({"max_bytes": 10**9}, timedelta(), 0),
    ],
)
def test_a_stream_is_overdue_when_it_keeps_more_than_whole_batches_and_ticks_make_of_its_limits(limits, later, overdue):
    stream = make_stream(**{f"retention_{name}": value for name, value in limits.items()})
    append(stream, MAX_BATCH_EVENTS, MAX_BATCH_EVENTS)
    now = timezone.now() + later
    assert load_backlog(now=now).overdue_streams == overdue
    if "max_events" in limits:
        tasks.delete_expired_events()
        assert load_backlog(now=now).overdue_streams == 0


def test_an_empty_stream_is_never_overdue():
    make_stream(retention_max_age_seconds=1)
    assert load_backlog(now=timezone.now() + timedelta(days=1)).overdue_streams == 0


# --- where it is seen ------------------------------------------------------------------------------------


def test_prometheus_is_told():
    stream = make_stream(retention_max_events=100)
    append(stream, 1_000, 1_000, *[1] * 70)
    before = samples(scrape())
    assert before["eventflow_merge_behind_events",] == 2_070
    assert before["eventflow_retention_overdue_streams",] == 1
    tasks.delete_expired_events.apply()
    tasks.merge_small_batches.apply()
    after = samples(scrape())
    deleted = "eventflow_retention_deleted_events_total"
    assert after[deleted,] - before.get((deleted,), 0) == 1_000
    assert after["eventflow_heartbeat_timestamp_seconds", "retention"] > 0
    assert after["eventflow_heartbeat_timestamp_seconds", "merging"] > 0


def test_merged_batches_are_counted():
    append(make_stream(), *[1] * 70)
    name = "eventflow_merged_batches_total"
    before = samples(scrape()).get((name,), 0)
    merge_small_batches(now=timezone.now() + timedelta(minutes=1), seconds=60)
    assert samples(scrape())[name,] - before == 70


def test_admins_see_it_on_the_overview_and_nobody_else_does():
    append(make_stream("orders", retention_max_events=1), 3, 1)
    tasks.delete_expired_events.apply()
    observability_tasks.roll_up.apply()
    append(Stream.objects.get(), *[1] * 70)

    page = overview_of(Role.ADMIN)

    level, note = note_of(page, "Retention")
    assert (level, re.sub(r"(<1|\d+) s", "n s", note)) == ("faint", "deleted 3 events n s ago")
    level, note = note_of(page, "Roll-ups")
    assert level == "faint"
    assert note.endswith("; 70 events to come")
    assert note_of(page, "Merging") == ("warn", "has not run yet")
    assert "Work in the background" not in overview_of(Role.CONSUMER, Role.PRODUCER)


def test_what_stands_still_fails_or_falls_behind_is_said():
    make_stream("orders")
    now = timezone.now()
    for name, age in (("retention", 10), ("merging", 10), ("roll-ups", 600)):
        heartbeat.record_run(name=name, done=0, now=now - timedelta(seconds=age))
    assert note_of(overview_of(Role.ADMIN), "Merging") == ("faint", "nothing to do yet")
    heartbeat.record_failure(name="merging", now=now)
    append(make_stream(retention_max_events=1), MAX_BATCH_EVENTS, MAX_BATCH_EVENTS)

    page = overview_of(Role.ADMIN)

    assert note_of(page, "Retention") == ("warn", "1 stream with more than retention says; nothing to do yet")
    level, note = note_of(page, "Merging")
    assert level == "bad"
    assert note.startswith("fails, as the worker's log says; last done ")
    level, note = note_of(page, "Roll-ups")
    assert level == "warn"
    assert note.startswith("last ran 10 min")
