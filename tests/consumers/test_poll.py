"""GET /streams/{stream}/events: from where, how much, which headers, and waiting."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from accounts.services.authenticate_key import forget_keys
from consumers.queries import forget_groups
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import forget_streams, load_stream
from tests.client import ApiClient
from tests.connection_pool import connections_in_use
from tests.consumers.waiting import waiting
from tests.factories import make_group, make_key, make_owner, make_stream, make_user
from tests.run.instance import wait_for

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner)


@pytest.fixture
def client(owner, stream):
    return ApiClient(key=make_key(owner))


def append(client, *payloads, stream="orders", **fields):
    body = [{"stream": stream, "payload": payload, **fields} for payload in payloads]
    answer = client.post("/events", body)
    assert answer.status_code == 202, answer.content
    return answer.json()["events"]


def poll(client, stream="orders", **parameters):
    response = client.get(f"/streams/{stream}/events", **parameters)
    assert response.status_code == 200, response.content
    return response


def payloads(response):
    return [event["payload"] for event in response.json()]


def test_reading_starts_after_the_last_processed_offset(client):
    append(client, "a", "b", "c", "d")
    response = poll(client, last_offset=2, limit=1)
    assert payloads(response) == ["c"]
    assert response.headers["EventFlow-Next-Offset"] == "3"
    assert response.headers["EventFlow-Head-Offset"] == "4"
    assert response.headers["EventFlow-Lag"] == "1"
    assert payloads(poll(client, last_offset=3)) == ["d"]


def test_without_an_offset_a_plain_read_begins_at_the_beginning(client):
    append(client, "a", "b")
    assert payloads(poll(client)) == ["a", "b"]
    assert payloads(poll(client, last_offset="earliest")) == ["a", "b"]
    latest = poll(client, last_offset="latest")
    assert payloads(latest) == []
    assert latest.headers["EventFlow-Next-Offset"] == "2"


@pytest.mark.parametrize("offset", [2, 3, 1000, 9223372036854775807])
def test_at_or_beyond_the_head_there_is_an_empty_array(client, offset):
    append(client, "a", "b")
    response = poll(client, last_offset=offset)
    assert response.content == b"[]"
    assert response.headers["EventFlow-Next-Offset"] == str(offset)
    assert response.headers["EventFlow-Lag"] == "0"


def test_a_group_reads_on_from_its_committed_offset(client, stream):
    make_group(stream, "billing")
    append(client, "a", "b", "c")
    assert payloads(poll(client, consumer_group_id="billing")) == ["a", "b", "c"]
    committed = client.post("/streams/orders/consumer-groups/billing/offsets", {"offset": 2})
    assert committed.status_code == 200
    response = poll(client, consumer_group_id="billing")
    assert payloads(response) == ["c"]
    assert response.headers["EventFlow-Lag"] == "1"
    assert payloads(poll(client, consumer_group_id="billing", last_offset=0)) == ["a", "b", "c"]


def test_reading_never_moves_a_committed_offset(client, stream):
    group = make_group(stream, "billing")
    append(client, "a", "b", "c")
    poll(client, consumer_group_id="billing")
    poll(client, consumer_group_id="billing", last_offset=2)
    assert [offset.committed_offset for offset in group.offsets.all()] == [0]


def test_a_group_that_starts_at_the_latest_has_no_lag_from_the_first_moment(client, stream):
    append(client, "a", "b")
    make_group(stream, "late", start="latest")
    response = poll(client, consumer_group_id="late")
    assert payloads(response) == []
    assert response.headers["EventFlow-Lag"] == "0"
    append(client, "c")
    assert payloads(poll(client, consumer_group_id="late")) == ["c"]


def test_an_unknown_group_is_not_made_by_reading(client):
    response = client.get("/streams/orders/events", consumer_group_id="nobody")
    assert (response.status_code, response.json()["code"]) == (404, "consumer_group_not_found")


def test_a_lease_group_cannot_be_polled(client, stream):
    make_group(stream, "workers", mode="lease")
    response = client.get("/streams/orders/events", consumer_group_id="workers")
    assert (response.status_code, response.json()["code"]) == (409, "wrong_mode")


def test_limit_and_max_bytes_drop_nothing_and_at_least_one_event_comes(client):
    append(client, *["x" * 1000 for _ in range(10)])
    seen, after = [], "0"
    while response := poll(client, last_offset=after, max_bytes=2500):
        if not response.json():
            break
        assert len(response.json()) == 2
        seen += [event["offset"] for event in response.json()]
        after = response.headers["EventFlow-Next-Offset"]
    assert seen == list(range(1, 11))
    assert len(poll(client, last_offset=0, max_bytes=1).json()) == 1


def test_only_some_types_and_the_next_offset_passes_the_others(client):
    append(client, "a", "b", type="noise")
    append(client, "c", type="signal")
    append(client, "d", type="noise")
    response = poll(client, type="signal,unknown")
    assert payloads(response) == ["c"]
    assert response.headers["EventFlow-Next-Offset"] == "4"
    first = poll(client, type="noise", limit=1)
    assert payloads(first) == ["a"]
    rest = poll(client, type="noise", last_offset=first.headers["EventFlow-Next-Offset"])
    assert payloads(rest) == ["b", "d"]


def test_retention_that_took_unread_events_is_told(client, stream):
    for payload in ("a", "b", "c"):
        append(client, payload)
    info = load_stream("orders")
    get_log().trim(info.partitions[0], keep_events=1)
    response = poll(client, last_offset=1)
    assert payloads(response) == ["c"]
    assert response.headers["EventFlow-Gap"] == "2-2"
    assert "EventFlow-Gap" not in poll(client, last_offset=2).headers
    expired = client.get("/streams/orders/events/0/1")
    assert (expired.status_code, expired.json()["code"]) == (410, "event_expired")


class TestSeveralPartitions:
    @pytest.fixture
    def wide(self, owner, client):
        return make_stream("wide", owner=owner, partitions=3)

    def test_a_number_needs_to_know_its_partition(self, client, wide):
        refused = client.get("/streams/wide/events", last_offset=0)
        assert (refused.status_code, refused.json()["code"]) == (422, "partition_required")

    def test_every_partition_is_read_in_order_and_the_headers_name_each(self, client, wide):
        sent = [append(client, n, stream="wide", key=f"k{n}")[0] for n in range(30)]
        response = poll(client, "wide")
        assert len(response.json()) == 30
        heads = {n: max((e["offset"] for e in sent if e["partition"] == n), default=0) for n in range(3)}
        expected = ",".join(f"{n}={heads[n]}" for n in range(3))
        assert response.headers["EventFlow-Next-Offset"] == expected
        assert response.headers["EventFlow-Head-Offset"] == expected
        assert response.headers["EventFlow-Lag"] == "0=0,1=0,2=0"

    def test_the_next_offset_header_is_a_last_offset(self, client, wide):
        for n in range(30):
            append(client, n, stream="wide", key=f"k{n}")
        seen, after = [], "0=0,1=0,2=0"
        for _ in range(20):
            response = poll(client, "wide", last_offset=after, limit=4)
            seen += payloads(response)
            after = response.headers["EventFlow-Next-Offset"]
        assert sorted(seen) == list(range(30))

    def test_one_partition_alone(self, client, wide):
        event = append(client, "x", stream="wide")[0]
        response = poll(client, "wide", partition=event["partition"], last_offset=0)
        assert payloads(response) == ["x"]
        assert response.headers["EventFlow-Next-Offset"] == "1"
        missing = client.get("/streams/wide/events", partition=3)
        assert (missing.status_code, missing.json()["code"]) == (404, "partition_not_found")


class TestWaiting:
    def test_a_waiting_poll_answers_as_soon_as_there_is_an_event(self, client):
        [poller] = waiting(lambda: payloads(poll(client, last_offset=0, wait=20)))
        append(client, "now")
        assert poller.result(10) == ["now"]

    def test_at_its_deadline_it_answers_with_nothing(self, client):
        assert poll(client, last_offset=0, wait=0.2).content == b"[]"

    def test_it_does_not_wait_when_there_is_something(self, client):
        append(client, "a")
        assert payloads(poll(client, last_offset=0, wait=30)) == ["a"]

    def test_it_waits_on_for_the_type_that_it_asks_for(self, client):
        [poller] = waiting(lambda: payloads(poll(client, last_offset=0, wait=20, type="signal")))
        append(client, "a", type="noise")
        time.sleep(0.2)
        assert poller.is_alive()
        append(client, "b", type="signal")
        assert poller.result(10) == ["b"]

    def test_meanwhile_it_holds_no_database_connection(self, client, stream):
        earlier = connections_in_use()
        pollers = waiting(lambda: payloads(poll(client, last_offset=0, wait=20)), 8)
        try:
            wait_for("their connections to be given back", lambda: connections_in_use() <= earlier, 10)
            assert all(each.is_alive() for each in pollers)
        finally:
            append(client, "done")
        assert [each.result(10) for each in pollers] == [["done"]] * 8


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "last_offset",
            [
                "-1",
                "1.0",
                "1e3",
                "",
                " 5",
                "5 ",
                "+5",
                "0x10",
                "1_000",
                "٣",
                "abc",
                "9223372036854775808",
                "5" * 5000,
                "1=1",
                "0=1,0=2",
                "0=",
                "00",
            ],
        ),
        ("limit", ["0", "-1", "1001", "1e9", "99999999999999999999", "abc", "", "1.5", "true"]),
        ("max_bytes", ["0", "-1", "8388609", "abc", ""]),
        ("wait", ["-1", "31", "1e9", "NaN", "inf", "0.0001", "abc", ""]),
        ("partition", ["-1", "abc", "", "1e0", "9223372036854775808"]),
        ("type", ["", "a b", ",", "a,", "x" * 200]),
    ],
)
def test_malformed_parameters_are_refused_by_name(client, name, values):
    for value in values:
        response = client.get("/streams/orders/events", **{name: value})
        assert response.status_code == 422, (name, value[:30], response.content)
        assert response.json()["code"] == "invalid_parameter"
        assert response.json()["errors"][0]["pointer"] == f"?{name}"


def test_unknown_and_repeated_parameters_are_refused(client):
    assert client.get("/streams/orders/events?offset=1").json()["code"] == "unknown_field"
    assert client.get("/streams/orders/events?limit=1&limit=1000").json()["code"] == "invalid_parameter"


def test_one_event_by_its_address(client):
    append(client, "a", "b")
    assert client.get("/streams/orders/events/0/2").json()["payload"] == "b"
    assert client.get("/streams/orders/events/0/3").json()["code"] == "event_not_found"
    assert client.get("/streams/orders/events/1/1").json()["code"] == "partition_not_found"
    assert client.get("/streams/orders/events/0/0").status_code == 422
    assert client.get("/streams/orders/events/0/abc").status_code == 422


def test_a_consumer_reads_an_internal_stream_and_a_mere_producer_does_not(client):
    append(client, "a")
    consumer = ApiClient(key=make_key(make_user(Role.CONSUMER)))
    assert payloads(poll(consumer)) == ["a"]
    producer = ApiClient(key=make_key(make_user(Role.PRODUCER)))
    assert producer.get("/streams/orders/events").status_code == 404


def test_reading_costs_the_same_number_of_queries_for_one_event_and_a_thousand(
    client, stream, django_assert_max_num_queries
):
    make_group(stream, "billing")
    append(client, *range(1000))
    poll(client, consumer_group_id="billing", limit=1)
    for limit in (1, 1000):
        # Or it would depend on the clock what is still remembered.
        forget_keys()
        forget_streams()
        forget_groups()
        # Three of them: the teams of the user, and what is granted on the stream and on the group.
        with django_assert_max_num_queries(10):
            poll(client, consumer_group_id="billing", last_offset=0, limit=limit)


def test_a_group_that_goes_on_reading_costs_two_statements_a_poll_and_two_a_commit(client, stream):
    """Where it stands and what there is; the ends and the new offset. Who it is was looked up a moment ago."""
    make_group(stream, "billing")
    append(client, *range(20))

    def commit(offset):
        committed = client.post("/streams/orders/consumer-groups/billing/offsets", {"offset": offset})
        assert committed.status_code == 200, committed.content

    costs = {"poll": [], "commit": []}
    for offset in range(1, 10):
        for what, call in (
            ("poll", lambda: poll(client, consumer_group_id="billing", limit=1)),
            ("commit", lambda offset=offset: commit(offset)),
        ):
            with CaptureQueriesContext(connection) as captured:
                call()
            costs[what].append(len(captured))
    # Now and then one of them has to look up again what was remembered for a moment.
    assert {what: min(each) for what, each in costs.items()} == {"poll": 2, "commit": 2}


def test_a_partition_reference_names_its_stream(stream):
    assert load_stream("orders").partitions == (PartitionRef(stream.partitions.get().pk, "orders", 0),)
