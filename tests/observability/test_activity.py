"""What pages say of a stream's last hour, also of what was appended since the last roll-up."""

from datetime import timedelta

import pytest
from django.utils import timezone

from observability.numbers.activity import activity_of, list_busiest, total_activity
from observability.numbers.rollups import roll_up
from observability.numbers.tails import load_tails
from streams.models import Partition, Stream
from tests.factories import make_stream
from tests.observability.appending import append, pretend_recorded

pytestmark = pytest.mark.usefixtures("db_with_commits")


def busiest(limit=8):
    return [each.name for each in list_busiest(Stream.objects.all(), now=timezone.now(), limit=limit)]


def events_in_hour(stream):
    tails = load_tails(Stream.objects.filter(pk=stream.pk))
    return events_of(activity_of([stream.pk], tails, now=timezone.now())[stream.pk])


def events_of(activity):
    return sum(point.events for point in activity.points)


def test_the_first_events_of_a_new_stream_show_before_the_first_roll_up():
    stream = make_stream("fresh")
    append(stream, "a", "b", "c")
    assert busiest() == ["fresh"]
    assert events_in_hour(stream) == 3
    every = Stream.objects.all()
    assert events_of(total_activity(every, load_tails(every), now=timezone.now())) == 3


def test_a_roll_up_counts_them_no_second_time():
    stream = make_stream("fresh")
    append(stream, "a", "b", "c")
    roll_up(seconds=60)
    assert events_in_hour(stream) == 3
    append(stream, "d")
    assert events_in_hour(stream) == 4


def test_the_busiest_come_first_and_those_that_have_just_woken_last():
    for name, count in (("some", 2), ("many", 5)):
        append(make_stream(name), *"e" * count)
    roll_up(seconds=60)
    append(make_stream("awake"), "e")
    make_stream("empty")
    assert busiest() == ["many", "some", "awake"]
    assert busiest(limit=2) == ["many", "some"]


def test_what_lies_further_back_is_not_of_the_last_hour():
    stream = make_stream("old")
    append(stream, "a")
    long_ago = timezone.now() - timedelta(hours=2)
    pretend_recorded(stream, 1, long_ago)
    Partition.objects.filter(stream=stream).update(last_recorded_at=long_ago)
    Stream.objects.filter(pk=stream.pk).update(created_at=long_ago)
    assert busiest() == []
    assert events_in_hour(stream) == 0
