"""Partitions are added to a stream in use: what that changes is said before, and no key goes back to where it was."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEntry
from accounts.roles import Role
from observability.operations.transfer import export_events, import_events
from streams import lookup
from streams.conf import MAX_PARTITIONS
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from streams.models import Partition, Stream
from streams.partitioning import partition_of_key, share_of_keys_that_move
from streams.services.partition_changes import PartitionGrowth
from streams.tasks import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user

KEYS = [f"customer-{number}" for number in range(40)]


@pytest.fixture
def owner(db_with_commits):
    return make_owner()


@pytest.fixture
def api(owner) -> ApiClient:
    """The owner of a stream with two partitions, whose keys have been somewhere."""
    make_stream("orders", owner=owner, partitions=2)
    client = ApiClient(key=make_key(owner))
    append(client)
    return client


def append(client: ApiClient) -> dict[str, int]:
    """Append an event with each of the keys; return the partition of each."""
    answer = client.post("/streams/orders/events", [{"key": key, "payload": key} for key in KEYS])
    assert answer.status_code == 202, answer.content
    return {key: stored["partition"] for key, stored in zip(KEYS, answer.json()["events"], strict=True)}


def add(client: ApiClient, count: int) -> None:
    answer = client.patch("/streams/orders?confirm=orders", {"partitions": count})
    assert (answer.status_code, answer.json()["partitions"]) == (200, count), answer.content


def test_it_is_said_before_and_asked_for_by_name(api):
    make_group(Stream.objects.get(), "shipping")
    make_group(Stream.objects.get(), "billing")
    before = api.get("/streams/orders")
    told = api.patch("/streams/orders?dry_run=true", {"partitions": 4})
    assert told.status_code == 200
    growth = told.json()["growth"]
    explanation = growth.pop("explanation")
    assert growth == {
        "before": 2,
        "after": 4,
        "moving_share": 0.5,
        "has_events": True,
        "groups": ["billing", "shipping"],
    }
    assert told.json()["events_affected"] == 0

    for query in ("", "?confirm=order", "?dry_run=false"):
        refused = api.patch(f"/streams/orders{query}", {"description": "wide", "partitions": 4})
        assert (refused.status_code, refused.json()["code"]) == (422, "confirmation_missing")
    assert explanation == (
        "This makes 2 partitions 4, for good. About 50% of all keys go to another partition with their new events, which"
        " are in no order with those that are stored; these stay where they are. These begin the new partitions at their"
        " first event: billing, shipping."
    )
    assert refused.json()["detail"] == f"{explanation} Confirm with ?confirm=orders."
    assert api.get("/streams/orders").json() == before.json()
    assert Partition.objects.count() == 2

    done = api.patch("/streams/orders?confirm=orders", {"partitions": 4})
    assert (done.status_code, done.json()["partitions"]) == (200, 4)
    assert done.headers["ETag"] != before.headers["ETag"]
    assert [each.number for each in Partition.objects.order_by("number")] == [0, 1, 2, 3]
    (entry,) = AuditEntry.objects.filter(action="stream.changed")
    assert (entry.before, entry.after) == ({"partition_count": 2}, {"partition_count": 4})


def test_a_stream_without_events_needs_no_confirmation(owner):
    make_stream("orders", owner=owner)
    client = ApiClient(key=make_key(owner))
    told = client.patch("/streams/orders?dry_run=true", {"partitions": 3}).json()["growth"]
    assert (told["before"], told["after"], told["has_events"]) == (1, 3, False)
    assert client.patch("/streams/orders", {"partitions": 3}).json()["partitions"] == 3


def test_one_confirmation_is_for_all_that_cannot_be_undone(api):
    body = {"partitions": 3, "retention": {"max_events": 1}}
    refused = api.patch("/streams/orders", body)
    assert refused.json()["code"] == "confirmation_missing"
    assert "This deletes" not in refused.json()["detail"]  # one batch in each partition: retention leaves the last
    append(api)
    detail = api.patch("/streams/orders", body).json()["detail"]
    assert "This deletes 40 events at once" in detail
    assert "This makes 2 partitions 3" in detail
    assert api.patch("/streams/orders?confirm=orders", body).status_code == 200


def test_what_a_smaller_share_of_a_limit_deletes_is_said_too(api):
    """Limits by count and bytes are shared out evenly: of more partitions each keeps less."""
    assert api.patch("/streams/orders", {"retention": {"max_events": 80}}).status_code == 200
    append(api)
    assert delete_expired_events() == 0
    told = api.patch("/streams/orders?dry_run=true", {"partitions": 8}).json()
    assert told["events_affected"] > 0
    detail = api.patch("/streams/orders", {"partitions": 8}).json()["detail"]
    assert f"This deletes {told['events_affected']} events at once" in detail
    add(api, 8)
    assert delete_expired_events() == told["events_affected"]


def test_a_limit_by_age_is_not_shared_and_asks_the_log_nothing(api):
    api.patch("/streams/orders", {"retention": {"max_age": 3600}})
    with CaptureQueriesContext(connection) as captured:
        add(api, 8)
    assert not [query for query in captured if "bisection" in query["sql"]]


def test_appends_wait_for_nothing_but_the_last_step(api):
    """However many places groups get: what they refer to is looked up before the log is locked, not at the commit."""
    make_group(Stream.objects.get(), "billing")
    with CaptureQueriesContext(connection) as captured:
        add(api, 4)
    steps = [
        query["sql"] for query in captured if "least_placed_among = " in query["sql"] or "SET CONS" in query["sql"]
    ]
    assert ["SET CONSTRAINTS ALL IMMEDIATE" in steps[0], "least_placed_among" in steps[-1]] == [True, True]


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_are_refused_and_as_many_are_no_change(api, count):
    add(api, 3)
    refused = api.patch("/streams/orders?confirm=orders", {"partitions": count, "description": "small"})
    assert (refused.status_code, refused.json()["code"]) == (422, "partitions_only_added")
    assert "partitions can only be added" in refused.json()["detail"]
    dry = api.patch("/streams/orders?dry_run=true", {"partitions": count})
    assert (dry.status_code, dry.json()["code"]) == (422, "partitions_only_added")

    version = api.get("/streams/orders").headers["ETag"]
    same = api.patch("/streams/orders", {"partitions": 3})
    assert (same.status_code, same.headers["ETag"]) == (200, version)
    assert "growth" not in api.patch("/streams/orders?dry_run=true", {"partitions": 3}).json()
    assert Stream.objects.get().description == ""


@pytest.mark.parametrize("count", [0, -1, MAX_PARTITIONS + 1, "4", 4.0, None, True])
def test_the_count_is_a_number_that_a_stream_may_have(api, count):
    refused = api.patch("/streams/orders?confirm=orders", {"partitions": count})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/partitions"
    assert Partition.objects.count() == 2


def test_the_most_is_what_a_stream_may_be_created_with(api):
    add(api, MAX_PARTITIONS)
    assert set(append(api).values()) == {partition_of_key(key, MAX_PARTITIONS) for key in KEYS}


def test_the_owners_quota_counts_them(settings, api):
    settings.QUOTAS = {**settings.QUOTAS, "partitions": 5}
    refused = api.patch("/streams/orders?confirm=orders", {"partitions": 6})
    assert (refused.status_code, refused.json()["quota"]) == (507, "partitions")
    add(api, 5)
    # What was given before the quota stays, and other settings may still be changed.
    settings.QUOTAS = {**settings.QUOTAS, "partitions": 1}
    assert api.patch("/streams/orders", {"description": "x"}).status_code == 200


def test_only_who_manages_the_stream_and_knows_its_version_adds_any(api, owner):
    reader = ApiClient(token=make_token(make_user(Role.CONSUMER)))
    assert reader.patch("/streams/orders?confirm=orders", {"partitions": 3}).status_code == 403
    version = api.get("/streams/orders").headers["ETag"]
    add(api, 3)
    outdated = api.patch("/streams/orders?confirm=orders", {"partitions": 4}, If_Match=version)
    assert (outdated.status_code, outdated.json()["code"]) == (412, "precondition_failed")
    assert Partition.objects.count() == 3


def test_keys_go_where_kafka_would_send_them_among_so_many(api):
    assert append(api) == {key: partition_of_key(key, 2) for key in KEYS}
    add(api, 5)
    assert append(api) == {key: partition_of_key(key, 5) for key in KEYS}
    # What was stored stays where it was.
    stored = api.get("/streams/orders/events", partition=0, last_offset=0, limit=1_000).json()
    assert {event["key"] for event in stored} >= {key for key in KEYS if partition_of_key(key, 2) == 0}


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (2, 4), (3, 7), (6, 10), (255, 256)])
def test_the_share_of_keys_that_move_is_what_moves(before, after):
    keys = [str(number) for number in range(20_000)]
    moved = sum(partition_of_key(key, before) != partition_of_key(key, after) for key in keys)
    assert moved / len(keys) == pytest.approx(share_of_keys_that_move(before, after), abs=0.02)


def test_of_one_partition_it_is_said_that_a_plain_number_is_not_enough_any_more():
    told = PartitionGrowth(1, 2, 0.5, has_events=True, groups=[f"group-{n}" for n in range(7)]).explanation
    assert "This makes 1 partition 2, for good." in told
    assert (
        "Who reads or commits by one number, without a partition, or appends with `If-Head` and without a key, is"
        in told
    )
    assert told.endswith("group-0, group-1, group-2, group-3, group-4, 2 more groups.")


# --- the administration ------------------------------------------------------------------------------------


def test_in_the_admin_it_is_said_and_asked_for_too(api):
    make_group(Stream.objects.get(), "billing")
    admin = Client()
    admin.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:streams_stream_change", args=[Stream.objects.get().pk])
    form = admin.get(address).context["adminform"].form
    fields = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    fields |= {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}

    refused = admin.post(address, fields | {"partition_count": "1"})
    assert "partitions can only be added" in refused.content.decode()
    for confirm in ("", "order"):
        asked = admin.post(address, fields | {"partition_count": "4", "confirm": confirm})
        page = asked.content.decode()
        assert "This makes 2 partitions 4, for good." in page
        assert "first event: billing" in page
        assert "Type orders to do it." in page
    assert admin.post(address, fields | {"partition_count": "300", "confirm": "orders"}).status_code == 200
    assert Partition.objects.count() == 2

    assert admin.post(address, fields | {"partition_count": "4", "confirm": "orders"}).status_code == 302
    assert Partition.objects.count() == 4
    assert set(append(api).values()) == {partition_of_key(key, 4) for key in KEYS}
    # A form that says nothing of them leaves them.
    stream = Stream.objects.get()
    del fields["partition_count"]
    assert admin.post(address, fields | {"version": stream.version, "description": "wide"}).status_code == 302
    stream.refresh_from_db()
    assert (stream.description, stream.partition_count) == ("wide", 4)


# --- a worker that remembers the old count -----------------------------------------------------------------


@pytest.fixture
def outdated(api, monkeypatch):
    """A client of a worker that looked the stream up a moment before partitions were added on another one."""
    known = load_stream("orders")
    add(api, 5)
    lookup._memory.get("orders", lambda: known)
    assert lookup.find_stream("orders") is known
    return api


def test_it_does_not_place_a_key_where_it_went_before(outdated):
    assert append(outdated) == {key: partition_of_key(key, 5) for key in KEYS}
    # And has learnt it.
    with CaptureQueriesContext(connection) as captured:
        append(outdated)
    assert not [query for query in captured if "streams_stream" in query["sql"]]


def test_events_without_a_key_are_placed_anew_as_well(outdated):
    assert outdated.post("/events", {"stream": "orders", "payload": 1}).status_code == 202
    assert len(lookup.find_stream("orders").partitions) == 5


def test_a_retry_is_answered_with_where_the_events_went_before_the_change(owner):
    make_stream("orders", owner=owner, partitions=2)
    client = ApiClient(key=make_key(owner))
    body = [{"key": key, "payload": key} for key in KEYS]
    first = client.post("/streams/orders/events", body, Idempotency_Key="once")
    add(client, 5)
    again = client.post("/streams/orders/events", body, Idempotency_Key="once")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    other = client.post("/streams/orders/events", body, Idempotency_Key="twice")
    assert {stored["partition"] for stored in other.json()["events"]} == {partition_of_key(key, 5) for key in KEYS}


def test_a_head_is_expected_where_the_key_belongs_by_now(outdated):
    """Also where the partition that it went to before has another head than the one that is expected."""
    moved = next(key for key in KEYS if partition_of_key(key, 5) not in (0, 1))
    before = get_log().bounds([load_stream("orders").partition(partition_of_key(moved, 2))])
    known = lookup.find_stream("orders")
    for head in (next(iter(before.values())).head_offset, 1_000):
        lookup.forget_streams()
        lookup._memory.get("orders", lambda: known)
        refused = outdated.post("/streams/orders/events", {"key": moved, "payload": 1}, If_Head=str(head))
        assert (refused.status_code, refused.json()["code"]) == (412, "head_moved")
        assert " 0" in refused.json()["detail"], refused.json()
    lookup.forget_streams()
    lookup._memory.get("orders", lambda: known)
    stored = outdated.post("/streams/orders/events", {"key": moved, "payload": 1}, If_Head="0")
    assert (stored.json()["partition"], stored.json()["offset"]) == (partition_of_key(moved, 5), 1)


def test_an_id_that_was_stored_before_is_not_stored_again_in_another_partition(api):
    api.patch("/streams/orders", {"deduplicate_ids": 3600})
    moved = next(key for key in KEYS if partition_of_key(key, 2) != partition_of_key(key, 5))
    event = {"key": moved, "payload": 1, "id": "once"}
    first = api.post("/streams/orders/events", event).json()
    add(api, 5)
    again = api.post("/streams/orders/events", event).json()
    assert again == {**first, "duplicate": True}


def test_it_finds_what_another_one_has_put_into_a_new_partition(outdated):
    last = load_stream("orders").partition(4)
    get_log().append([PartitionAppend(last, [b'{"payload":"new"}'])])
    assert len(lookup.find_stream("orders").partitions) == 2
    assert outdated.get("/streams/orders/events/4/1").json()["payload"] == "new"
    assert len(lookup.find_stream("orders").partitions) == 5


def test_an_import_that_began_before_goes_on_by_what_there_is(api):
    lines = [line for portion in export_events(load_stream("orders")) for line in portion]
    known = load_stream("orders")
    add(api, 5)
    assert list(import_events(known, lines, partitions=2)) == [(len(KEYS), 0)]
    for number in range(5):
        stored = api.get("/streams/orders/events", partition=number, last_offset=0).json()
        own = sorted(key for key in KEYS if partition_of_key(key, 5) == number)
        if number < 2:
            own = sorted([*own, *(key for key in KEYS if partition_of_key(key, 2) == number)])
        assert sorted(event["key"] for event in stored) == own


def test_a_partition_that_nobody_added_is_asked_for_and_forgets_nothing(api):
    known = lookup.find_stream("orders")
    assert api.get("/streams/orders/events/2/1").json()["code"] == "partition_not_found"
    assert lookup.find_stream("orders") is known
