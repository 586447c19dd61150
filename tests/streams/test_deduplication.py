"""A stream with `deduplicate_ids`: an id is stored once, and whoever sends it again learns where it is."""

from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from streams.models import RememberedId, Stream
from streams.services.remembered_ids import forget_passed_ids
from streams.services.retention import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")

DAY = 86_400


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    client = ApiClient(token=make_token(owner))
    assert client.post("/streams", {"name": "orders", "deduplicate_ids": DAY}).status_code == 201
    return ApiClient(key=make_key(owner))


def event(id_, **fields):
    return {"stream": "orders", "id": id_, "payload": fields.pop("payload", 1), **fields}


def stored_ids(client, stream="orders"):
    return [each["id"] for each in client.get(f"/streams/{stream}/events", last_offset=0).json()]


def test_an_event_that_is_sent_again_is_answered_with_its_first_place(shop):
    first = shop.post("/events", event("order-1")).json()
    again = shop.post("/events", event("order-1", payload={"another": "payload"}))
    assert again.status_code == 202
    assert first == {
        "id": "order-1",
        "stream": "orders",
        "partition": 0,
        "offset": 1,
        "recorded_at": first["recorded_at"],
        "duplicate": False,
    }
    assert again.json() == first | {"duplicate": True}
    assert stored_ids(shop) == ["order-1"]


def test_of_a_mixed_batch_what_is_new_is_stored_and_the_answer_says_which(shop):
    shop.post("/events", [event("a"), event("b")])
    answer = shop.post("/events", [event("c"), event("a"), event("d"), event("c")]).json()
    assert (answer["accepted"], answer["duplicates"]) == (4, 2)
    assert [(each["id"], each["offset"], each["duplicate"]) for each in answer["events"]] == [
        ("c", 3, False),
        ("a", 1, True),
        ("d", 4, False),
        ("c", 3, True),
    ]
    assert stored_ids(shop) == ["a", "b", "c", "d"]


def test_a_minimal_answer_has_the_ranges_that_were_given_out_and_how_many_were_there(shop):
    headers = {"Prefer": "return=minimal"}
    whole = shop.post("/events", [event("a"), event("b")], **headers).json()
    assert whole == {
        "accepted": 2,
        "ranges": [{"stream": "orders", "partition": 0, "first_offset": 1, "last_offset": 2}],
    }
    mixed = shop.post("/events", [event("a"), event("c")], **headers).json()
    assert mixed == {
        "accepted": 2,
        "duplicates": 1,
        "ranges": [{"stream": "orders", "partition": 0, "first_offset": 3, "last_offset": 3}],
    }
    none = shop.post("/events", [event("a"), event("b")], **headers).json()
    assert none == {"accepted": 2, "duplicates": 2, "ranges": []}


def test_an_id_that_the_server_made_counts_as_well(shop):
    first = shop.post("/events", {"stream": "orders", "payload": 1}).json()
    assert shop.post("/events", event(first["id"])).json() == first | {"duplicate": True}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order-1", "Order-1"),
        ("é", "e\u0301"),
        ("0197c0de-0000-7000-8000-000000000001", "0197C0DE-0000-7000-8000-000000000001"),
        ("0197c0de-0000-7000-8000-000000000001", "0197c0de000070008000000000000001"),
        ("0197c0de-0000-7000-8000-000000000001", " 0197c0de-0000-7000-8000-000000000001"),
        ("1", "01"),
    ],
)
def test_ids_are_compared_as_they_are_written(shop, one, other):
    assert not shop.post("/events", event(one)).json()["duplicate"]
    assert not shop.post("/events", event(other)).json()["duplicate"]
    assert shop.post("/events", event(other)).json()["offset"] == 2


def test_in_another_partition_an_id_is_found_too(owner):
    make_stream("wide", owner=owner, partitions=8, deduplicate_ids_seconds=DAY)
    client = ApiClient(key=make_key(owner))
    first = client.post("/streams/wide/events", {"id": "a", "key": "k", "payload": 1}).json()
    for key in ("x", "y", "z", None):
        again = client.post("/streams/wide/events", {"id": "a", "key": key, "payload": 1}).json()
        assert again == first | {"duplicate": True}
    spread = [{"id": f"{n % 5}", "key": f"k{n}", "payload": n} for n in range(20)]
    answer = client.post("/streams/wide/events", spread).json()
    assert answer["duplicates"] == 15
    assert {each["id"]: (each["partition"], each["offset"]) for each in answer["events"][:5]} == {
        each["id"]: (each["partition"], each["offset"]) for each in answer["events"][15:]
    }


def test_a_stream_beside_it_that_does_not_ask_stores_whatever_comes(shop, owner):
    make_stream("free", owner=owner)
    batch = [event("a"), {"stream": "free", "id": "a", "payload": 1}] * 2
    answer = shop.post("/events", batch).json()
    assert [each["duplicate"] for each in answer["events"]] == [False, False, True, False]
    assert stored_ids(shop, "free") == ["a", "a"]


def test_a_retry_with_an_idempotency_key_is_answered_from_memory_as_ever(shop):
    shop.post("/events", event("a"))
    headers = {"Idempotency-Key": "k"}
    first = shop.post("/events", [event("a"), event("b")], **headers)
    again = shop.post("/events", [event("a"), event("b")], **headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == first.content
    assert stored_ids(shop) == ["a", "b"]


def test_beyond_the_window_an_id_is_stored_anew(shop):
    shop.post("/events", event("a"))
    RememberedId.objects.update(recorded_at=timezone.now() - timedelta(seconds=DAY, minutes=1))
    answer = shop.post("/events", event("a")).json()
    assert (answer["offset"], answer["duplicate"]) == (2, False)
    assert shop.post("/events", event("a")).json()["offset"] == 2


def test_what_retention_took_still_counts_within_the_window(shop, owner):
    shop.post("/events", [event("a"), event("b")])
    ApiClient(token=make_token(owner)).patch("/streams/orders?confirm=orders", {"retention": {"max_events": 1}})
    shop.post("/events", event("c"))
    delete_expired_events(now=timezone.now())
    assert stored_ids(shop) == ["c"]
    assert shop.post("/events", event("a")).json()["offset"] == 1


def test_the_window_can_be_changed_and_taken_back(shop, owner):
    admin = ApiClient(token=make_token(owner))
    shop.post("/events", event("a"))
    RememberedId.objects.update(recorded_at=timezone.now() - timedelta(hours=1))
    assert admin.patch("/streams/orders", {"deduplicate_ids": 60}).json()["deduplicate_ids"] == 60
    assert not shop.post("/events", event("a")).json()["duplicate"]
    assert admin.patch("/streams/orders", {"deduplicate_ids": None}).json()["deduplicate_ids"] is None
    assert not shop.post("/events", event("a")).json()["duplicate"]
    assert stored_ids(shop) == ["a", "a", "a"]


@pytest.mark.parametrize("seconds", [0, -1, 604_801, 1.5, "60", True])
def test_a_window_that_cannot_be_is_refused(owner, seconds):
    refusal = ApiClient(token=make_token(owner)).post("/streams", {"name": "orders", "deduplicate_ids": seconds})
    assert refusal.status_code == 422
    assert [each["pointer"] for each in refusal.json()["errors"]] == ["/deduplicate_ids"]


def test_nothing_of_a_refused_batch_is_remembered(shop):
    refusal = shop.post("/events", [event("a"), event("b", key="k" * 600)])
    assert refusal.status_code == 422
    assert not shop.post("/events", event("a")).json()["duplicate"]


# --- what is remembered is bounded, and seen ---


def test_stats_say_what_is_remembered(shop):
    assert shop.get("/streams/orders/stats").json()["remembered_ids"] == {
        "window_seconds": DAY,
        "count": 0,
        "since": None,
    }
    first = shop.post("/events", event("a")).json()
    shop.post("/events", [event("a"), event("b"), event("c")])
    assert shop.get("/streams/orders/stats").json()["remembered_ids"] == {
        "window_seconds": DAY,
        "count": 3,
        "since": first["recorded_at"],
    }


def test_stats_of_a_stream_that_does_not_ask_say_so(shop, owner):
    make_stream("free", owner=owner)
    assert shop.get("/streams/free/stats").json()["remembered_ids"] is None


def test_ids_whose_window_has_passed_are_forgotten(shop):
    shop.post("/events", [event(str(number)) for number in range(30)])
    RememberedId.objects.filter(event_offset__lte=20).update(recorded_at=timezone.now() - timedelta(days=2))
    assert forget_passed_ids(now=timezone.now()) == 20
    assert sorted(RememberedId.objects.values_list("event_offset", flat=True)) == list(range(21, 31))
    assert forget_passed_ids(now=timezone.now()) == 0


def test_the_partitions_are_asked_for_together(owner):
    make_stream("wide", owner=owner, partitions=8, deduplicate_ids_seconds=DAY)
    events = [{"id": str(number), "key": str(number), "payload": 1} for number in range(200)]
    assert ApiClient(key=make_key(owner)).post("/streams/wide/events", events).status_code == 202
    assert RememberedId.objects.values("partition_id").distinct().count() == 8
    with CaptureQueriesContext(connection) as asked:
        forget_passed_ids(now=timezone.now())
    assert sum('FROM "streams_partition"' in each["sql"] for each in asked) == 1


def test_a_stream_remembers_no_more_than_the_installation_allows(shop, settings):
    settings.MAX_REMEMBERED_IDS = 10
    shop.post("/events", [event(str(number)) for number in range(30)])
    assert forget_passed_ids(now=timezone.now()) == 20
    assert shop.get("/streams/orders/stats").json()["remembered_ids"]["count"] == 10
    assert shop.post("/events", event("29")).json()["duplicate"]
    assert not shop.post("/events", event("0")).json()["duplicate"]


@pytest.mark.parametrize("end", ["deleted", "not asked any more"])
def test_of_a_stream_that_has_ended_nothing_stays_remembered(shop, owner, end):
    shop.post("/events", [event(str(number)) for number in range(30)])
    if end == "deleted":
        ApiClient(token=make_token(owner)).delete("/streams/orders?confirm=orders")
    else:
        Stream.objects.update(deduplicate_ids_seconds=None)
    assert forget_passed_ids(now=timezone.now()) == 30


def test_a_stream_made_anew_knows_nothing_of_the_one_before(shop, owner):
    admin = ApiClient(token=make_token(owner))
    shop.post("/events", event("a"))
    admin.delete("/streams/orders?confirm=orders")
    admin.post("/streams", {"name": "orders", "deduplicate_ids": DAY})
    answer = shop.post("/events", event("a")).json()
    assert (answer["offset"], answer["duplicate"]) == (1, False)


def test_ndjson_says_which_as_well(shop):
    body = b"\n".join(orjson.dumps(event(name)) for name in ("a", "b", "a"))
    answer = shop.post("/events", body, content_type="application/x-ndjson").json()
    assert [each["duplicate"] for each in answer["events"]] == [False, False, True]
