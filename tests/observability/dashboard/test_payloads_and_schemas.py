"""On the dashboard: schemas from a proposal to a version that counts, and payloads that do not fit."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from streams.models import EventSchema, Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_user

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
    client.force_login(owner_of(stream), "django.contrib.auth.backends.ModelBackend")
    return client


def owner_of(stream: Stream) -> User:
    assert stream.owner is not None
    return stream.owner


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
    api = ApiClient(key=make_key(owner_of(stream)))
    for payload in (1, "one"):
        assert api.post("/streams/orders/events", {"payload": payload}).status_code == 202
    words = "was not as version 1 of the schema for event says"
    assert words not in client.get("/streams/orders/events/0/1").content.decode()
    assert words in client.get("/streams/orders/events/0/2").content.decode()


SCHEMAS, NEW = "/streams/orders/schemas", "/streams/orders/schemas/new"


def form(schema: str, act: str, **fields: str) -> dict[str, str]:
    return {"type": "event", "schema": schema, "compatibility": "none", "act": act, **fields}


def test_one_is_proposed_from_what_is_stored(client, stream):
    assert client.post(NEW, form("", "propose")).status_code == 422
    ApiClient(key=make_key(owner_of(stream))).post("/streams/orders/events", {"payload": {"order_id": 7}})
    answer = client.post(NEW, form("", "propose"))
    page = answer.content.decode()
    assert (answer.status_code, "&quot;order_id&quot;" in page) == (200, True)
    assert "Proposed from 1 event" in page
    assert stream.schemas.count() == 1


def test_one_is_tried_and_what_would_not_fit_leads_to_its_event(client, stream):
    ApiClient(key=make_key(owner_of(stream))).post("/streams/orders/events", [{"payload": 1}, {"payload": "one"}])
    answer = client.post(NEW, form('{"type": "integer", "maxinum": 3}', "try"))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "1 of 2 stored events would not fit" in " ".join(page.split())
    assert "/streams/orders/events/0/2" in page
    assert "/maxinum" in page
    assert stream.schemas.count() == 1


def test_one_is_registered_and_shown_with_what_it_changed(client, stream):
    assert client.post(NEW, form('{"type": "string"}', "register")).status_code == 302
    assert stream.schemas.count() == 2
    page = client.get(f"{SCHEMAS}/of/event").content.decode()
    assert "event, version 2" in page
    assert "+  &quot;type&quot;: &quot;string&quot;" in page
    assert "-  &quot;type&quot;: &quot;integer&quot;" in page
    assert "event, version 1" in client.get(f"{SCHEMAS}/of/event?version=1").content.decode()
    assert client.get(f"{SCHEMAS}/of/event?version=9").status_code == 404
    assert "event" in client.get(SCHEMAS).content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"schema": "{"}, "This is not JSON"),
        ({"schema": '{"properties": {"a": {"type": "strin"}}}'}, "/properties/a/type"),
        ({"schema": '{"$ref": "http://x.example/"}'}, "begin with `#`"),
        ({"type": "a b"}, "beginning with a letter"),
        ({"schema": "[" * 5_000}, "This is not JSON"),
        ({"schema": '{"maximum": NaN}'}, "This is not JSON"),
        ({"schema": '{"title": "\\ud800"}'}, "This is not JSON"),
        ({"schema": '{"maximum": 1e999}'}, "beyond 1.8e308"),
    ],
    ids=str,
)
@pytest.mark.parametrize("act", ["try", "register"])
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(client, stream, act, wrong, words):
    answer = client.post(NEW, form("true", act) | wrong)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page
    assert stream.schemas.count() == 1


def test_who_may_only_read_sees_schemas_and_makes_none(stream):
    reader = Client()
    reader.force_login(make_user(Role.CONSUMER), "django.contrib.auth.backends.ModelBackend")
    assert NEW not in reader.get(SCHEMAS).content.decode()
    assert reader.get(f"{SCHEMAS}/of/event").status_code == 200
    assert reader.get(NEW).status_code == 403
    assert reader.post(NEW, form("true", "register")).status_code == 403
    assert stream.schemas.count() == 1
