"""A stream in an engine beside PostgreSQL: made, used and deleted like any other, and what is refused by name."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from streams.conf import NAME_REMEMBERED_SECONDS, STREAM_CACHE_SECONDS
from streams.errors import LogUnavailable
from streams.log import SIGHTINGS
from streams.models import Epoch, Partition, PlaceToClear, Stream
from streams.services import places
from streams.services.foreign_ends import look_at_ends
from streams.services.places import clear_places
from streams.services.retention import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_key, make_owner


@pytest.fixture
def owner(distant):
    return make_owner()


@pytest.fixture
def shop(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture
def orders(shop):
    """A stream of two partitions in the other engine."""
    made = shop.post("/streams", {"name": "orders", "engine": "distant", "partitions": 2})
    assert made.status_code == 201, made.content
    return made.json()


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def read(shop, partition, last_offset=0, stream="orders"):
    answer = shop.get(f"/streams/{stream}/events", last_offset=last_offset, partition=partition)
    assert answer.status_code == 200, answer.content
    return answer


# --- being made and looked at ---


def test_a_stream_says_where_it_lies_and_what_is_promised_there(shop, orders):
    shop.post("/streams", {"name": "here"})
    there, here = shop.get("/streams/orders").json(), shop.get("/streams/here").json()
    assert (there["engine"], there["capabilities"]) == ("distant", ["append", "lease", "retention"])
    assert here["engine"] == "postgres"
    assert {"atomic_append", "deduplication", "erase", "receipt_in_same_transaction"} <= set(here["capabilities"])
    assert orders == there
    assert {each["name"]: each["engine"] for each in shop.get("/streams").json()["data"]} == {
        "here": "postgres",
        "orders": "distant",
    }


def test_its_place_is_made_before_it_and_none_is_left_over(shop, orders, distant):
    assert distant.weather.calls == ["ensure"]
    assert Epoch.objects.filter(engine="distant", first_offset=1, last_offset=None, base=1).count() == 2
    assert set(Partition.objects.values_list("is_sealed", flat=True)) == {True}
    assert not PlaceToClear.objects.exists()


def test_an_engine_that_is_not_there_is_named_with_those_that_are(shop, distant):
    answer = shop.post("/streams", {"name": "orders", "engine": "elsewhere"})
    assert code_of(answer) == (422, "unknown_engine")
    assert "postgres, distant" in answer.json()["detail"]


def test_while_its_engine_is_away_no_stream_is_made_there(shop, distant):
    distant.weather.is_away = True
    answer = shop.post("/streams", {"name": "orders", "engine": "distant"})
    assert code_of(answer) == (503, "engine_unavailable")
    assert answer["Retry-After"] == "1"
    assert answer["EventFlow-Stored"] == "no"
    assert not Stream.objects.exists()


def test_a_place_for_which_no_stream_came_is_cleared(shop, orders, distant):
    again = shop.post("/streams", {"name": "orders", "engine": "distant"})
    assert code_of(again) == (409, "stream_exists")
    assert distant.weather.calls == ["ensure"]
    bad = shop.post("/streams", {"name": "other", "engine": "distant", "owner": "nobody@example.com"})
    assert bad.status_code >= 400
    noted = PlaceToClear.objects.get()
    assert clear_places(now=timezone.now()) == 0
    assert clear_places(now=noted.due_at) == 1
    assert set(distant._partitions) == set(Partition.objects.values_list("pk", flat=True))


def test_a_retry_of_its_making_is_answered_as_the_first(shop, distant):
    body = {"name": "orders", "engine": "distant"}
    first, again = (shop.post("/streams", body, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    assert distant.weather.calls == ["ensure"]


# --- being used ---


def test_events_are_appended_and_read_as_anywhere(shop, orders):
    sent = [{"type": "t", "key": key, "payload": {"n": n}} for n, key in enumerate("abcdef")]
    stored = shop.post("/streams/orders/events", sent)
    assert stored.status_code == 202, stored.content
    places = [(each["partition"], each["offset"]) for each in stored.json()["events"]]
    came = {
        (event["partition"], event["offset"]): event["payload"]["n"]
        for number in (0, 1)
        for event in read(shop, number).json()
    }
    assert [came[place] for place in places] == list(range(6))
    assert read(shop, 0)["EventFlow-Head-Offset"] == str(sum(1 for partition, _ in places if partition == 0))


def test_the_ranges_of_an_append_are_told_run_by_run(shop, orders):
    answer = shop.post(
        "/streams/orders/events", [{"key": "a", "payload": n} for n in range(3)], Prefer="return=minimal"
    )
    ranges = answer.json()["ranges"]
    assert [(each["first_offset"], each["last_offset"]) for each in ranges] == [(1, 1), (2, 2), (3, 3)]


def test_keys_go_with_their_events(shop, orders, distant, monkeypatch):
    seen = []
    send = distant._send
    monkeypatch.setattr(distant, "_send", lambda appends, **more: seen.extend(appends) or send(appends, **more))
    shop.post("/streams/orders/events", [{"key": "a", "payload": 1}, {"key": "b", "payload": 2}, {"payload": 3}])
    keys = [key for append in seen for key in append.keys]
    assert sorted(keys, key=str) == [None, b"a", b"b"] or set(keys) == {None, b"a", b"b"}
    assert all(len(append.keys) == len(append.records) for append in seen)


def test_groups_read_commit_lease_and_seek_there(shop, orders):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(4)])
    (number,) = [each for each in (0, 1) if read(shop, each).json()]
    for mode in ("offset", "lease"):
        made = shop.post("/streams/orders/consumer-groups", {"name": mode, "mode": mode, "start": "earliest"})
        assert made.status_code == 201, made.content
    committed = shop.post(
        "/streams/orders/consumer-groups/offset/offsets", {"offsets": [{"partition": number, "offset": 3}]}
    )
    assert committed.status_code == 200, committed.content
    beyond = shop.post(
        "/streams/orders/consumer-groups/offset/offsets", {"offsets": [{"partition": number, "offset": 5}]}
    )
    assert code_of(beyond) == (422, "offset_beyond_head")
    offsets = shop.get("/streams/orders/consumer-groups/offset/offsets").json()
    assert {each["partition"]: each["lag"] for each in offsets["data"]}[number] == 1
    leased = shop.post("/streams/orders/consumer-groups/lease/lease", {"max_events": 10}).json()
    assert [event["payload"] for each in leased["deliveries"] for event in each["events"]] == [0, 1, 2, 3]
    names = [{key: each[key] for key in ("delivery_id", "lease_token")} for each in leased["deliveries"]]
    nacked = shop.post(
        "/streams/orders/consumer-groups/lease/nack",
        {"deliveries": [{**each, "error": "no", "terminal": True} for each in names]},
    )
    assert nacked.status_code == 200, nacked.content
    sought = shop.post("/streams/orders/consumer-groups/offset/seek", {"to": "earliest", "partition": number})
    assert sought.status_code == 200, sought.content
    parked = shop.post(
        "/streams/orders/consumer-groups/offset/dead-letters", {"partition": number, "offset": 2, "error": "no"}
    )
    assert parked.status_code == 201, parked.content


# --- what it does not promise ---


def test_what_the_engine_does_not_promise_is_refused_by_name_and_nothing_is_stored(shop, orders):
    for answer, what in (
        (shop.post("/streams", {"name": "more", "engine": "distant", "deduplicate_ids": 60}), "deduplicate_ids"),
        (shop.patch("/streams/orders", {"deduplicate_ids": 60}), "deduplicate_ids"),
        (shop.patch("/streams/orders?confirm=orders", {"partitions": 3}), "adding partitions"),
        (shop.post("/streams/orders/events", {"key": "a", "payload": 1}, If_Head="0"), "If-Head"),
        (shop.post("/streams/orders/events", {"payload": 1, "deliver_after": 60}), "deliver_after"),
        (shop.post("/streams/orders/events", {"payload": 1, "expires_after": 60}), "expires_after"),
    ):
        assert code_of(answer) == (422, "not_offered"), answer.content
        assert "distant" in answer.json()["detail"]
        assert what in answer.json()["detail"]
    assert [read(shop, number).json() for number in (0, 1)] == [[], []]


def test_one_request_for_streams_of_two_engines_is_refused(shop, orders):
    shop.post("/streams", {"name": "here"})
    events = [{"stream": "here", "payload": 1}, {"stream": "orders", "payload": 1}]
    for headers in ({}, {"Idempotency_Key": "k"}):
        for sent in (events, events[::-1]):
            assert code_of(shop.post("/events", sent, **headers)) == (422, "not_offered")
    assert shop.get("/streams/here/events", last_offset=0).json() == []


# --- when it is away ---


def test_while_the_engine_is_away_its_streams_say_so_and_others_go_on(shop, orders, distant):
    shop.post("/streams", {"name": "here"})
    shop.post("/streams/orders/events", {"key": "a", "payload": 1})
    distant.weather.is_away = True
    for answer in (
        shop.post("/streams/orders/events", {"payload": 1}),
        shop.get("/streams/orders/events", last_offset=0, partition=0),
    ):
        assert code_of(answer) == (503, "engine_unavailable")
        assert answer["Retry-After"] == "1"
        assert answer["EventFlow-Stored"] == "no"
    assert shop.post("/streams/here/events", {"payload": 1}).status_code == 202
    assert shop.get("/streams").status_code == 200


def test_what_was_leased_and_cannot_be_read_has_not_been_delivered(shop, orders, distant, monkeypatch):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(3)])
    shop.post("/streams/orders/consumer-groups", {"name": "g", "mode": "lease", "start": "earliest", "max_failures": 1})

    def be_away(*_args, **_more):
        raise LogUnavailable("distant", "it is away")

    with monkeypatch.context() as patch:
        patch.setattr(distant, "read", be_away)
        for _ in range(2):
            answer = shop.post("/streams/orders/consumer-groups/g/lease", {"max_events": 10})
            assert code_of(answer) == (503, "engine_unavailable")
    (delivery,) = shop.post("/streams/orders/consumer-groups/g/lease", {"max_events": 10}).json()["deliveries"]
    assert [each["payload"] for each in delivery["events"]] == [0, 1, 2]
    assert delivery["delivery_count"] == 1


# --- its counters ---


def test_the_counters_follow_what_was_appended_here(shop, orders):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(3)])
    SIGHTINGS.write()
    row = Partition.objects.get(head_offset__gt=0)
    assert (row.head_offset, row.earliest_offset) == (3, 1)
    assert row.appended_bytes == row.stored_bytes > 0
    assert row.last_recorded_at is not None


def test_the_counters_follow_what_others_append_and_retention_takes(shop, orders, distant):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(3)])
    place = Partition.objects.get(pk=next(pk for pk, each in distant._partitions.items() if each.head_offset))
    assert look_at_ends() == 1
    place.refresh_from_db()
    assert (place.head_offset, place.earliest_offset) == (3, 1)
    assert shop.patch("/streams/orders?confirm=orders", {"retention": {"max_events": 2}}).status_code == 200
    assert delete_expired_events(now=timezone.now()) == 2
    assert look_at_ends() == 0
    place.refresh_from_db()
    assert (place.head_offset, place.earliest_offset) == (3, 3)


def test_a_retention_that_deletes_there_is_told_before_and_wants_the_name(shop, orders):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(5)])
    refused = shop.patch("/streams/orders", {"retention": {"max_events": 4}})
    assert code_of(refused) == (422, "confirmation_missing")
    told = shop.patch("/streams/orders?dry_run=true", {"retention": {"max_events": 4}})
    assert told.json()["events_affected"] == 3
    assert shop.patch("/streams/orders?confirm=orders", {"retention": {"max_events": 4}}).status_code == 200


def test_what_was_seen_is_never_lowered(shop, orders, distant):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(3)])
    look_at_ends()
    lost = next(each for each in distant._partitions.values() if each.head_offset)
    lost.batches, lost.head_offset = [], 1
    assert look_at_ends() == 0
    assert Partition.objects.filter(head_offset=3).exists()


# --- being deleted ---


def test_a_deleted_stream_is_dropped_in_its_engine_after_the_commit(shop, orders, distant):
    shop.post("/streams/orders/events", {"payload": 1})
    assert shop.delete("/streams/orders?confirm=orders").status_code == 204
    assert not Partition.objects.exists()
    assert not Epoch.objects.exists()
    later = PlaceToClear.objects.get().due_at
    assert clear_places(now=timezone.now()) == 0
    distant.weather.is_away = True
    assert clear_places(now=later) == 0
    distant.weather.is_away = False
    assert clear_places(now=later) == 1
    assert not distant._partitions
    assert not PlaceToClear.objects.exists()
    assert code_of(shop.post("/streams/orders/events", {"payload": 1})) == (404, "stream_not_found")


def test_a_place_whose_topic_nobody_wrote_down_is_cleared_by_its_name(shop, orders, distant):
    shop.delete("/streams/orders?confirm=orders")
    PlaceToClear.objects.update(topic="", topic_id="")
    assert clear_places(now=PlaceToClear.objects.get().due_at) == 1
    assert not distant._partitions


def test_a_name_is_given_away_only_when_no_worker_remembers_whose_it_was(shop, orders, distant, monkeypatch):
    waited = []
    # This module's alone: other threads sleep as well.
    monkeypatch.setattr(places, "time", SimpleNamespace(sleep=waited.append))
    assert shop.delete("/streams/orders?confirm=orders").status_code == 204
    assert shop.post("/streams", {"name": "clicks", "engine": "distant"}).status_code == 201
    assert waited == []
    assert shop.post("/streams", {"name": "orders"}).status_code == 201
    assert waited == [NAME_REMEMBERED_SECONDS]
    assert NAME_REMEMBERED_SECONDS > STREAM_CACHE_SECONDS
    assert shop.delete("/streams/orders?confirm=orders").status_code == 204
    clear_places(now=PlaceToClear.objects.get().due_at)
    assert shop.post("/streams", {"name": "orders", "engine": "distant"}).status_code == 201
    assert waited == [NAME_REMEMBERED_SECONDS]
