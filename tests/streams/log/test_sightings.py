"""Counters of partitions in other engines: raised to what was seen, never lowered, and by nobody else's hand."""

import time

import pytest
from django.db import DatabaseError
from django.utils import timezone

from streams.log import Sighting, sightings, write_sightings
from streams.log.sightings import Sightings
from streams.models import Partition
from tests.factories import make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def place():
    """A partition that lies elsewhere."""
    row = Partition.objects.get(stream=make_stream())
    Partition.objects.filter(pk=row.pk).update(is_sealed=True)
    return row


def counters(place):
    place.refresh_from_db()
    return place.earliest_offset, place.head_offset, place.stored_bytes, place.appended_bytes


def test_they_rise_and_the_size_of_what_is_kept_is_estimated(place):
    write_sightings([Sighting(place.pk, head_offset=10, appended_bytes=1_000, recorded_at=timezone.now())])
    assert counters(place) == (1, 10, 1_000, 1_000)
    write_sightings([Sighting(place.pk, head_offset=10, earliest_offset=6)])
    assert counters(place) == (6, 10, 500, 1_000)
    write_sightings([Sighting(place.pk, head_offset=10, earliest_offset=11)])
    assert counters(place) == (11, 10, 0, 1_000)


def test_what_comes_late_lowers_nothing(place):
    now = timezone.now()
    write_sightings([Sighting(place.pk, 10, 6, now, 1_000)])
    write_sightings([Sighting(place.pk, 8, 2, now.replace(year=2020), 0)])
    assert counters(place)[:2] == (6, 10)
    assert place.last_recorded_at == now


def test_a_partition_here_is_left_alone():
    row = Partition.objects.get(stream=make_stream())
    write_sightings([Sighting(row.pk, head_offset=10)])
    assert counters(row) == (1, 0, 0, 0)


def test_a_thread_writes_down_what_is_noted(place):
    noted = Sightings()
    noted.note(place.pk, 3, timezone.now(), 30)
    noted.note(place.pk, 5, timezone.now(), 20)
    deadline = time.monotonic() + 30
    while counters(place)[1] < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert counters(place) == (1, 5, 50, 50)


def test_what_could_not_be_written_stays_noted(place, monkeypatch):
    noted = Sightings()
    monkeypatch.setattr(noted, "_ensure_written", lambda: None)
    noted.note(place.pk, 3, timezone.now(), 30)

    def fail(*_args, **_more):
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(sightings, "run", fail)
        with pytest.raises(DatabaseError):
            noted.write()
    noted.note(place.pk, 4, timezone.now(), 10)
    noted.write()
    assert counters(place) == (1, 4, 40, 40)
