"""Whoever speaks to an installation over HTTP: its admin, or the holder of a key."""

import json
import urllib.error
import urllib.request
from typing import Any


class Person:
    """Args: the address of the server, and a key's text, or the password of the admin."""

    def __init__(self, url: str, *, key: str = "", password: str = "") -> None:
        self.url = url
        self._password = password
        if password:
            self.headers: dict[str, str] = {}
            signed_in = self.ask("POST", "/auth/login", {"email": "admin@eventflow.local", "password": password})
            self.headers = {"Authorization": f"Bearer {signed_in['access']}"}
        else:
            self.headers = {"X-API-Key": key}

    def at(self, url: str) -> "Person":
        """The same with the same credential, at another server."""
        person = Person(url, key="none")
        person.headers = self.headers
        return person

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Send it, and return what came back; fail with the problem if it was refused."""
        status, answer = self.try_to(method, path, body, **headers)
        assert status < 400, f"{method} {path}: {status} {answer}"
        return answer

    def try_to(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send it, and return the status and what came back."""
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **self.headers, **extra},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def append(self, *payloads: object, stream: str = "orders", **headers: str) -> list[int]:
        """Append one event for each payload, with key and type; return their offsets."""
        events = [
            {"stream": stream, "type": "order.created", "key": f"customer-{number % 3}", "payload": payload}
            for number, payload in enumerate(payloads)
        ]
        answer = self.ask("POST", "/events", events, **headers)
        return [event["offset"] for event in answer["events"]]

    def events(self, stream: str = "orders", *, partition: int = 0, after: int = 0) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"/streams/{stream}/events?partition={partition}&last_offset={after}&limit=1000"))

    def group(self, group: str, verb: str = "", body: object = None) -> Any:
        """Ask about a group of `orders`, or do one of its verbs."""
        path = f"/streams/orders/consumer-groups/{group}"
        return self.ask("POST", f"{path}/{verb}", body) if verb else self.ask("GET", path)

    def lease(self, group: str, most: int = 100) -> list[dict[str, Any]]:
        return list(self.group(group, "lease", {"max_events": most, "wait": 5})["deliveries"])

    def ack(self, group: str, deliveries: list[dict[str, Any]]) -> Any:
        return self.group(group, "ack", {"deliveries": [held(delivery) for delivery in deliveries]})

    def dead_letters(self, status: str = "open") -> list[dict[str, Any]]:
        return list(self.ask("GET", f"/dead-letters?stream=orders&status={status}")["data"])


def held(delivery: dict[str, Any]) -> dict[str, Any]:
    """What names a delivery that somebody holds."""
    return {name: delivery[name] for name in ("delivery_id", "lease_token")}
