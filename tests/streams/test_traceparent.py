"""The trace that a request is part of is kept with its events."""

import pytest

from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, binary, read_cloudevents, read_plain

pytestmark = pytest.mark.usefixtures("db_with_commits")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
PATH = "/streams/orders/events"


@pytest.fixture
def shop():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "shipping", mode="lease")
    return ApiClient(key=make_key(owner))


def kept(client):
    return [event["headers"].get("traceparent") for event in read_plain(client)]


def test_each_event_that_brings_none_gets_the_requests(shop):
    events = [{"payload": 1}, {"payload": 2, "headers": {"a": "b"}}, {"payload": 3, "headers": {"traceparent": OTHER}}]
    assert shop.post(PATH, events, traceparent=TRACE).status_code == 202
    assert kept(shop) == [TRACE, TRACE, OTHER]
    assert read_plain(shop)[1]["headers"] == {"a": "b", "traceparent": TRACE}


def test_without_one_nothing_is_kept(shop):
    shop.post(PATH, {"payload": 1})
    assert read_plain(shop)[0]["headers"] == {}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff{TRACE[2:]}",
        f"{TRACE}-more",
        f"{TRACE},{OTHER}",
        TRACE.upper(),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "x" * 5000,
    ],
)
def test_what_names_no_trace_is_left_alone(shop, header):
    assert shop.post(PATH, {"payload": 1}, traceparent=header).status_code == 202
    assert kept(shop) == [None]


def test_an_event_with_as_many_headers_as_it_may_stays_as_it_is(shop):
    headers = {f"h{n}": "x" for n in range(32)}
    assert shop.post(PATH, {"payload": 1, "headers": headers}, traceparent=TRACE).status_code == 202
    assert read_plain(shop)[0]["headers"] == headers


def test_a_cloudevents_own_is_the_extension_of_that_name(shop):
    sent = [MINIMAL, MINIMAL | {"id": "2", "traceparent": OTHER, "tracestate": "vendor=1"}]
    assert shop.post(PATH, sent, content_type=BATCH, traceparent=TRACE).status_code == 202
    assert shop.post(PATH, MINIMAL | {"id": "3"}, content_type=ONE).status_code == 202
    assert binary(shop, PATH, b"1", traceparent=OTHER).status_code == 202
    assert kept(shop) == [TRACE, OTHER, None, OTHER]
    assert read_plain(shop)[1]["headers"]["tracestate"] == "vendor=1"
    assert [event.get("traceparent") for event in read_cloudevents(shop)] == [TRACE, OTHER, None, OTHER]


def test_a_retry_in_another_trace_is_the_same_request(shop):
    first = shop.post(PATH, {"payload": 1}, traceparent=TRACE, **{"Idempotency-Key": "k"})
    again = shop.post(PATH, {"payload": 1}, traceparent=OTHER, **{"Idempotency-Key": "k"})
    assert again.content == first.content
    assert kept(shop) == [TRACE]


def test_a_lease_gives_it_back(shop):
    shop.post(PATH, {"payload": 1}, traceparent=TRACE)
    (delivery,) = shop.post("/streams/orders/consumer-groups/shipping/lease", {}).json()["deliveries"]
    assert delivery["events"][0]["headers"] == {"traceparent": TRACE}
