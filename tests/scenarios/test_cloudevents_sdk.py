"""The official SDK's CloudEvents make the round: over HTTP into a stream and out of it again, in each mode."""

import gzip
import urllib.request
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.factories import make_group, make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, ONE
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]
FORMAT = JSONFormat()
# What only this log says.
OF_THE_LOG = {"stream", "partition", "offset", "recordedtime"}


@pytest.fixture
def shop(db_with_commits, shared_web):
    """A running server with a stream and a key for it."""
    owner = make_owner()
    stream = make_stream(owner=owner)
    make_group(stream, "shipping", mode="lease")
    return Shop(shared_web, make_key(owner), f"/streams/{stream.name}")


class Shop:
    def __init__(self, web: WebServer, key: str, stream: str) -> None:
        self.web = web
        self.url = f"{web.url}/api/v1"
        self.key = key
        self.stream = stream
        self.events = f"{stream}/events"

    def send(self, path: str, message: http.HTTPMessage) -> dict[str, Any]:
        return orjson.loads(self._ask(path, data=message.body, **message.headers))

    def read(self, path: str, accept: str) -> bytes:
        return self._ask(path, Accept=accept)

    def read_all(self) -> list[BaseCloudEvent]:
        batch = orjson.loads(self.read(f"{self.events}?last_offset=0", BATCH))
        return [FORMAT.read(CloudEvent, orjson.dumps(each)) for each in batch]

    def send_lines(
        self, path: str, lines: bytes, body: bytes, *, content_type: str = "application/json", length: bool = True
    ) -> bytes:
        """Send header lines as they are, and return the whole answer."""
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {self.key}\r\nConnection: close\r\n"
        head += f"Content-Type: {content_type}\r\n" + (f"Content-Length: {len(body)}\r\n" if length else "")
        with self.web.connect() as client:
            client.sendall(head.encode() + lines + b"\r\n" + body)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def _ask(self, path: str, *, data: bytes | None = None, **headers: str) -> bytes:
        # The standard library would name a type of its own where the message names none.
        named = {"X-API-Key": self.key, **({} if data is None else {"Content-Type": ""}), **headers}
        request = urllib.request.Request(self.url + path, data=data, headers=named)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()


def some_events() -> list[CloudEvent]:
    """New each time, since the SDK writes into what it is given."""
    time = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    plain: dict[str, Any] = {"source": "/s", "type": "t", "time": time}
    json: dict[str, Any] = {**plain, "datacontenttype": "application/json"}
    described = {
        **json,
        "source": "https://shop.example/checkout?till=7",
        "type": "com.example.order.created",
        "subject": "Bestellung „42“ – 100 % €😀",
        "dataschema": "https://schemas.example/order/v1",
        "partitionkey": "customer-7",
        "comexampleextension1": "a value with spaces and % signs",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return [
        CloudEvent(
            {**described, "id": "described"}, {"n": 2**70, "amount": 1.5, "text": "ü\x00", "list": [None, True]}
        ),
        CloudEvent({**json, "id": "small"}, {}),
        CloudEvent({**plain, "id": "image", "datacontenttype": "image/png"}, bytes(range(256))),
        CloudEvent({**plain, "id": "nothing"}),
    ]


def said(event: BaseCloudEvent) -> tuple[dict[str, Any], Any]:
    """What an event says, without what the log adds."""
    return {name: value for name, value in event.get_attributes().items() if name not in OF_THE_LOG}, event.get_data()


def test_in_the_structured_mode(shop):
    for event in some_events():
        assert shop.send(shop.events, http.to_structured(event, FORMAT))["offset"] > 0
    assert list(map(said, shop.read_all())) == list(map(said, some_events()))


def test_in_the_batched_mode(shop):
    batch = b"[" + b",".join(map(FORMAT.write, some_events())) + b"]"
    assert shop.send(shop.events, http.HTTPMessage({"content-type": BATCH}, batch))["accepted"] == 4
    assert list(map(said, shop.read_all())) == list(map(said, some_events()))


def test_in_the_binary_mode(shop):
    for event in some_events():
        shop.send(shop.events, http.to_binary(event, FORMAT))
    assert list(map(said, shop.read_all())) == list(map(said, some_events()))


def test_an_extension_keeps_its_type_where_the_form_has_one(shop):
    event = CloudEvent({"id": "1", "source": "/s", "type": "t", "sampledrate": 5, "urgent": True}, {"n": 1})
    shop.send(shop.events, http.to_structured(event, FORMAT))
    (back,) = shop.read_all()
    assert (back.get_extension("sampledrate"), back.get_extension("urgent")) == (5, True)


def test_by_its_address_and_in_a_lease(shop):
    event = some_events()[0]
    shop.send(shop.events, http.to_structured(event, FORMAT))
    one = http.HTTPMessage({"content-type": ONE}, shop.read(f"{shop.events}/0/1", ONE))
    assert said(http.from_structured(one, FORMAT)) == said(some_events()[0])
    wanted = http.HTTPMessage({"Content-Type": "application/json", "Accept": BATCH}, b"{}")
    leased = shop.send(f"{shop.stream}/consumer-groups/shipping/lease", wanted)
    (handed,) = leased["deliveries"][0]["events"]
    assert said(FORMAT.read(CloudEvent, orjson.dumps(handed))) == said(some_events()[0])


def test_a_plain_event_is_a_valid_cloudevent(shop):
    body = b'{"type": "order.created", "key": "k", "headers": {"tenant": "acme"}, "payload": {"n": 1}}'
    shop.send(shop.events, http.HTTPMessage({"Content-Type": "application/json"}, body))
    (event,) = shop.read_all()
    assert (event.get_type(), event.get_source()) == ("order.created", f"/api/v1{shop.stream}")
    assert (event.get_extension("tenant"), event.get_extension("offset")) == ("acme", "1")
    assert event.get_data() == {"n": 1}


@pytest.mark.parametrize(
    ("lines", "status", "pointer"),
    [
        (b"ce-id: 1\r\nce-id: 2\r\n", 422, "/id"),
        (b"ce-id: 1,2\r\n", 202, None),
        (b"ce-id: 1\r\nce_id: 2\r\n", 202, None),
        (b"ce-id: 1\r\nce-subject: \xc3\xa9\r\n", 422, "/subject"),
        (b"ce-id: 1\r\nce-subject: \xe9\r\n", 422, "/subject"),
        (b"ce-id: 1\r\nCE-Subject: %C3%A9\r\n", 202, None),
    ],
)
def test_headers_that_no_client_sends(shop, lines, status, pointer):
    head = b"ce-specversion: 1.0\r\nce-source: /s\r\nce-type: t\r\n"
    answer = shop.send_lines(shop.events, head + lines, b'{"n":1}')
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    if pointer:
        assert [error["pointer"] for error in orjson.loads(answer.partition(b"\r\n\r\n")[2])["errors"]] == [pointer]


def test_a_body_in_chunks_that_could_be_cut_off_unseen_is_refused(shop):
    attributes = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n"
    answer = shop.send_lines(
        shop.events, attributes + b"Transfer-Encoding: chunked\r\n", b"3\r\n123\r\n0\r\n\r\n", length=False
    )
    assert answer.startswith(b"HTTP/1.1 411 "), answer
    assert shop.read_all() == []


def test_what_cannot_be_cut_off_unseen_may_come_in_chunks(shop):
    body = FORMAT.write(some_events()[0])
    chunked, pieces = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = shop.send_lines(shop.events, chunked, pieces, content_type=ONE, length=False)
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    cut_off = shop.send_lines(shop.events, chunked, b"a\r\n%b\r\n0\r\n\r\n" % body[:10], content_type=ONE, length=False)
    assert cut_off.startswith(b"HTTP/1.1 400 "), cut_off
    packed = gzip.compress(bytes(range(256)))
    attributes = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\nContent-Encoding: gzip\r\n"
    answer = shop.send_lines(shop.events, attributes, packed, content_type="image/png")
    assert answer.startswith(b"HTTP/1.1 202 "), answer
    assert [event.get_data() for event in shop.read_all()] == [some_events()[0].get_data(), bytes(range(256))]
