"""On the dashboard: what becomes of payloads that do not fit, and that one did not."""

import pytest
from django.test import Client

from streams.models import EventSchema, Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

SETTINGS = "/streams/orders/settings"
FORM = {"description": "", "visibility": "internal", "age_unit": "days", "size_unit": "GiB"}


@pytest.fixture
def stream() -> Stream:
    stream = make_stream("orders", owner=make_owner(), retention_max_age_seconds=None)
    EventSchema.objects.create(
        stream=stream, type="event", version=1, document='{"type":"integer"}', compatibility="none", created_by="user:1"
    )
    return stream


@pytest.fixture
def client(stream: Stream) -> Client:
    client = Client()
    client.force_login(stream.owner, "django.contrib.auth.backends.ModelBackend")
    return client


def validation_of(stream: Stream) -> str:
    stream.refresh_from_db()
    return stream.validation


def test_it_is_a_setting_and_a_page_that_was_opened_before_it_was_one_leaves_it(client, stream):
    assert 'name="validation"' in client.get(SETTINGS).content.decode()
    assert client.post(SETTINGS, FORM | {"validation": "warn"}).status_code == 302
    assert validation_of(stream) == "warn"
    assert client.post(SETTINGS, FORM | {"description": "later"}).status_code == 302
    assert validation_of(stream) == "warn"
    refused = client.post(SETTINGS, FORM | {"validation": "perhaps"})
    assert refused.status_code == 422
    assert validation_of(stream) == "warn"


def test_a_new_stream_is_asked_as_well(client):
    new = {"name": "payments", "partitions": "1", **FORM, "validation": "enforce"}
    assert client.post("/streams/new", new).status_code == 302
    assert Stream.objects.get(name="payments").validation == "enforce"


def test_an_event_that_did_not_fit_says_so(client, stream):
    Stream.objects.update(validation="warn")
    api = ApiClient(key=make_key(stream.owner))
    for payload in (1, "one"):
        assert api.post("/streams/orders/events", {"payload": payload}).status_code == 202
    words = "was not as version 1 of the schema for event says"
    assert words not in client.get("/streams/orders/events/0/1").content.decode()
    assert words in client.get("/streams/orders/events/0/2").content.decode()
