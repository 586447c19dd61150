"""CloudEvents as a test sends them and reads them back."""

from typing import Any

from tests.client import ApiClient

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MINIMAL: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.order.created"}
# What the log adds to each.
PLACE = ("recordedtime", "stream", "partition", "offset")


def read_cloudevents(client: ApiClient, stream: str = "orders", **parameters: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/streams/{stream}/events", last_offset=0, headers={"Accept": BATCH}, **parameters)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, BATCH), answer.content
    return answer.json()


def read_plain(client: ApiClient, stream: str = "orders") -> list[dict[str, Any]]:
    answer = client.get(f"/streams/{stream}/events", last_offset=0)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def without_place(event: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent as it was sent."""
    return {name: value for name, value in event.items() if name not in PLACE}


def binary(
    client: ApiClient, path: str, body: bytes, *, content_type: str = "application/json", **attributes: str
) -> Any:
    """Send a CloudEvent in binary mode; what of the minimal one is not given is as it is there."""
    headers = {f"ce-{name}": value for name, value in {**MINIMAL, **attributes}.items()}
    return client.client.post(f"/api/v1{path}", body, content_type=content_type, headers=client.headers | headers)
