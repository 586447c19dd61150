"""Leases whose events are CloudEvents: the deliveries around them stay as they are."""

import pytest

from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, PLACE, without_place

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def worker():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "shipping", mode="lease")
    return ApiClient(key=make_key(owner))


def lease(worker, accept=BATCH):
    answer = worker.post(f"{GROUP}/lease", {}, Accept=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json"), answer.content
    return answer.json()


def test_the_events_of_a_delivery_are_cloudevents(worker):
    sent = [MINIMAL | {"data": {"n": 1}}, MINIMAL | {"id": "2", "flag": True, "data_base64": "AA=="}]
    worker.post("/streams/orders/events", sent, content_type=BATCH)
    (delivery,) = lease(worker)["deliveries"]
    assert [without_place(event) for event in delivery["events"]] == sent
    assert [event["offset"] for event in delivery["events"]] == ["1", "2"]
    ack = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}
    assert worker.post(f"{GROUP}/ack", {"deliveries": [ack]}).json()["data"][0]["result"] == "acked"
    assert lease(worker) == {"deliveries": [], "gaps": [], "isolating": False, "suspected": 0}


def test_who_does_not_ask_gets_events(worker):
    worker.post("/streams/orders/events", MINIMAL, content_type=ONE)
    (delivery,) = lease(worker, "*/*")["deliveries"]
    assert delivery["events"][0]["headers"]["ce-source"] == "/shop"


def test_one_cloudevent_is_not_to_be_had_and_nothing_is_leased(worker):
    worker.post("/streams/orders/events", MINIMAL, content_type=ONE)
    answer = worker.post(f"{GROUP}/lease", {}, Accept=ONE)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert len(lease(worker)["deliveries"]) == 1


def test_a_redrive_with_another_payload_says_who_and_when(worker):
    worker.post("/streams/orders/events", MINIMAL | {"data_base64": "AA=="}, content_type=ONE)
    (delivery,) = lease(worker)["deliveries"]
    refused = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"], "error": "no"}
    assert worker.post(f"{GROUP}/nack", {"deliveries": [refused | {"terminal": True}]}).status_code == 200
    assert lease(worker)["deliveries"] == []
    (letter,) = worker.get("/dead-letters").json()["data"]
    assert worker.post(f"/dead-letters/{letter['id']}/redrive", {"payload": {"n": 2}}).status_code == 202
    (delivery,) = lease(worker)["deliveries"]
    (event,) = delivery["events"]
    marks = {"editedby", "editedtime", "originalsha256"}
    assert {name: value for name, value in event.items() if name not in {*PLACE, *marks}} == MINIMAL | {
        "data": {"n": 2}
    }
    assert event["editedby"].startswith("key:")
    assert len(event["originalsha256"]) == 64
