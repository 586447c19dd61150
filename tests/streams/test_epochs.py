"""A partition whose events lie in two engines, one stretch after the other: nobody who reads can tell."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from streams.log import SIGHTINGS, get_log
from streams.log.protocol import PartitionRef, TopicSpec
from streams.lookup import find_stream, forget_streams, load_stream
from streams.models import Epoch, Partition, PlaceToClear, Stream
from streams.services.foreign_ends import look_at_ends
from streams.services.lifecycle import delete_stream
from streams.services.places import clear_places
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream

BEFORE, AFTER = range(1, 8), range(8, 13)


@pytest.fixture
def owner(distant):
    return make_owner()


@pytest.fixture
def shop(owner):
    return ApiClient(key=make_key(owner))


def append(shop, *numbers):
    answer = shop.post("/streams/orders/events", [{"payload": number} for number in numbers])
    assert answer.status_code == 202, answer.content
    return [each["offset"] for each in answer.json()["events"]]


def move(stream, distant):
    """Move a stream's only partition to the other engine, as it is moved: there is room behind its last event."""
    row = Partition.objects.get(stream=stream)
    ref = PartitionRef(row.pk, stream.name, 0)
    (epoch,) = distant.ensure([ref], TopicSpec(first_offset=row.head_offset + 1, epoch_number=2)).values()
    Epoch.objects.create(partition=row, number=1, engine="postgres", first_offset=1, last_offset=row.head_offset)
    Epoch.objects.create(partition=row, **epoch._asdict())
    Partition.objects.filter(pk=row.pk).update(is_sealed=True)
    Stream.objects.filter(pk=stream.pk).update(engine="distant", has_epochs=True)


@pytest.fixture
def moved(shop, owner, distant):
    """A stream with the payloads 1 to 7 here, and 8 to 12 there; its partition."""
    stream = make_stream("orders", owner=owner)
    assert [append(shop, each) for each in BEFORE] == [[each] for each in BEFORE]
    move(stream, distant)
    forget_streams()
    assert [append(shop, each) for each in AFTER] == [[each] for each in AFTER]
    info = load_stream("orders")
    assert info is not None
    return info.partitions[0]


def read(shop, last_offset=0, **parameters):
    answer = shop.get("/streams/orders/events", last_offset=last_offset, **parameters)
    assert answer.status_code == 200, answer.content
    return [each["payload"] for each in answer.json()], answer


def test_what_is_read_goes_on_from_one_engine_in_the_next(shop, moved):
    seen, position = [], 0
    while position < 12:
        payloads, answer = read(shop, position, limit=3)
        assert payloads
        assert answer["EventFlow-Head-Offset"] == "12"
        assert "EventFlow-Gap" not in answer.headers
        seen += payloads
        position = int(answer["EventFlow-Next-Offset"])
    assert seen == [*BEFORE, *AFTER]


def test_a_slice_never_crosses_from_one_into_the_other(shop, moved):
    log = get_log()
    for after in range(12):
        found = log.read(moved, after=after, max_events=100, max_bytes=1 << 20)
        assert list(found.offsets) == list(range(after + 1, 8 if after < 7 else 13))
        assert found.next_offset == found.offsets[-1]
        assert found.bounds[:2] == (1, 12)
        assert found.gap is None
    assert log.read(moved, after=12, max_events=1, max_bytes=1).next_offset == 12


def test_a_worker_that_remembers_the_stream_as_it_was_asks_anew(shop, owner, distant):
    stream = make_stream("orders", owner=owner)
    append(shop, *BEFORE)
    assert find_stream("orders").engine == "postgres"
    move(stream, distant)
    # Nothing is forgotten here: it is the append that finds out.
    assert append(shop, 8, 9) == [8, 9]
    assert find_stream("orders").engine == "distant"
    assert read(shop)[0] == list(BEFORE)
    assert read(shop, 7)[0] == [8, 9]


def test_the_ends_are_those_of_both(shop, moved):
    ends = get_log().bounds([moved])[moved.id]
    assert ends[:2] == (1, 12)
    assert timezone.now() - ends.last_recorded_at < timedelta(minutes=5)


def test_times_are_found_in_both(shop, moved):
    log = get_log()
    times = log.recorded_after([(moved, after) for after in range(13)])
    assert times[12] is None
    known = [at for at in times if at is not None]
    assert known == sorted(known)
    assert [log.offset_at(moved, at) for at in known] == list(range(1, 13))
    assert log.offset_at(moved, datetime(2020, 1, 1, tzinfo=UTC)) == 1
    assert log.offset_at(moved, timezone.now() + timedelta(hours=1)) == 13


def test_retention_takes_from_the_front_of_both(shop, moved):
    SIGHTINGS.write()
    log = get_log()
    for kept, earliest in ((8, 5), (5, 8), (2, 11)):
        for _ in range(3):
            log.trim(moved, keep_events=kept)
        assert log.bounds([moved])[moved.id][:2] == (earliest, 12)
        payloads, answer = read(shop)
        assert payloads[0] == earliest
        assert answer["EventFlow-Gap"] == f"1-{earliest - 1}"


def test_the_tick_leaves_the_earliest_where_it_is(shop, moved):
    look_at_ends()
    row = Partition.objects.get()
    assert (row.earliest_offset, row.head_offset) == (1, 12)


def test_nothing_of_it_can_be_erased(shop, moved):
    answer = shop.post("/streams/orders/events/0/3/erase", {"reason": "asked"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_offered"), answer.content
    assert read(shop)[0] == list(BEFORE)


def test_deleting_it_takes_both(shop, moved, distant):
    delete_stream(stream=Stream.objects.get(), confirm="orders")
    assert not Partition.objects.exists()
    assert clear_places(now=PlaceToClear.objects.get().due_at) == 1
    assert not distant._partitions
