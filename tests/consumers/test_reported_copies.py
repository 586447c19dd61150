"""Parking an event that retention has just taken: the copy that the consumer was given is kept."""

import orjson
import pytest
from django.test import Client

from accounts.roles import Role
from consumers.models import DeadLetter
from streams.log import get_log
from streams.lookup import info_of
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
PARK = "/streams/orders/consumer-groups/billing/dead-letters"


@pytest.fixture
def stream():
    stream = make_stream("orders", owner=make_user(Role.PRODUCER, Role.CONSUMER))
    make_group(stream, "billing")
    return stream


@pytest.fixture
def client(stream):
    return ApiClient(key=make_key(stream.owner))


@pytest.fixture
def polled(client):
    """The first of three events, as the consumer got it: with a number that a float would change."""
    for n in range(3):
        client.post(
            "/streams/orders/events", b'{"type":"order","key":"k","headers":{"a":"b"},"payload":{"n":%d.10}}' % n
        )
    return client.get("/streams/orders/events", last_offset=0, limit=1).content.removeprefix(b"[").removesuffix(b"]")


def let_retention_take(stream, *, keep=1):
    get_log().trim(info_of(stream).partitions[0], keep_events=keep)


def report(client, copy, offset=1, **more):
    fields = b"".join(b',"%b":%b' % (name.encode(), orjson.dumps(value)) for name, value in more.items())
    return client.post(PARK, b'{"offset":%d,"event":%b%b}' % (offset, copy, fields))


def test_what_retention_took_is_parked_with_the_copy_byte_for_byte(client, stream, polled):
    let_retention_take(stream)
    assert client.post(PARK, {"offset": 1}).json()["code"] == "event_expired"

    parked = report(client, polled, error="no such customer")

    assert (parked.status_code, parked.json()["reported_copy"]) == (201, True)
    letter = DeadLetter.objects.get()
    assert bytes(letter.event) == polled
    assert (letter.event_type, letter.event_key, letter.last_error) == ("order", "k", "no such customer")
    for again in (report(client, polled), client.post(PARK, {"offset": 1})):
        assert (again.status_code, again.json()["id"]) == (200, parked.json()["id"])


def test_while_the_log_has_the_event_its_own_is_kept_whatever_is_sent(client, polled):
    parked = report(client, polled.replace(b"0.10", b"9.99"))

    assert (parked.status_code, parked.json()["reported_copy"]) == (201, False)
    assert bytes(DeadLetter.objects.get().event) == polled


def test_a_copy_that_another_group_has_from_the_log_comes_before(client, stream, polled):
    make_group(stream, "other")
    client.post("/streams/orders/consumer-groups/other/dead-letters", {"offset": 1})
    let_retention_take(stream)

    parked = report(client, polled.replace(b"0.10", b"9.99"))

    assert (parked.status_code, parked.json()["reported_copy"]) == (201, False)
    assert bytes(DeadLetter.objects.get(group__name="billing").event) == polled


def test_what_was_erased_is_not_brought_back(client, stream, polled):
    assert client.post("/streams/orders/events/0/1/erase", {"reason": "asked to"}).status_code == 200
    let_retention_take(stream)

    refused = report(client, polled)

    assert (refused.status_code, refused.json()["code"]) == (410, "event_expired")
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (b'"partition":0', b'"partition":1'),
        (b'"offset":1', b'"offset":2'),
        (b'"recorded_at"', b'"seen_at"'),
        (b'"id":"', b'"id":1,"x":"'),
    ],
)
def test_a_copy_that_is_of_no_event_or_another_is_refused(client, stream, polled, wrong, right):
    let_retention_take(stream)

    refused = report(client, polled.replace(wrong, right, 1))

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_copy")
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("copy", [b"null", b"[]", b"1", b'"text"', b"{}"])
def test_a_copy_that_is_nothing_like_an_event_is_refused(client, stream, polled, copy):
    let_retention_take(stream)
    assert report(client, copy).json()["code"] == "invalid_copy"


def test_a_copy_that_no_append_would_have_brought_is_refused_with_its_field(client, stream, polled):
    let_retention_take(stream)

    refused = report(client, polled.replace(b'"type":"order"', b'"type":"%s"' % (b"t" * 1000)))

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_events")
    assert refused.json()["errors"][0]["pointer"] == "/event/type"


def test_a_copy_that_was_put_in_another_order_is_kept_in_the_order_of_events(client, stream, polled):
    """Most JSON libraries give back what they read in an order of their own, and with spaces."""
    let_retention_take(stream)
    fields = orjson.loads(polled)
    turned = orjson.dumps(dict(reversed(fields.items())), option=orjson.OPT_INDENT_2)

    assert report(client, turned).status_code == 201
    kept = bytes(DeadLetter.objects.get().event)
    assert list(orjson.loads(kept)) == list(fields)
    assert orjson.loads(kept) == fields
    assert b"\n" not in kept


def test_the_page_of_the_dead_letter_says_that_it_is_a_copy(client, stream, polled):
    let_retention_take(stream)
    number = report(client, polled).json()["id"]
    browser = Client()
    browser.force_login(stream.owner)

    page = browser.get(f"/dead-letters/{number}").content.decode()

    assert "as its consumer sent it" in page
