"""A plain HTTP client for setting up and for latencies; the load itself comes from wrk."""

import http.client
import json
import time
from typing import Any

# The server closes a connection that asks nothing for ten seconds.
IDLE_SECONDS = 5


class Api:
    """One keep-alive connection to a server, opened anew where it was idle for long."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = headers or {}
        self._used_at = 0.0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return its JSON; anything but 2xx ends the benchmark."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self._connection.close()
        self._connection.request(method, f"/api/v1{path}", content, headers)
        response = self._connection.getresponse()
        text = response.read()
        self._used_at = time.monotonic()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text.decode()[:500]}")
        return json.loads(text) if text else None


def sign_in(port: int, password: str) -> Api:
    """Return a client signed in as the first admin."""
    answer = Api(port).call("POST", "/auth/login", {"email": "admin@eventflow.local", "password": password})
    return Api(port, {"Authorization": f"Bearer {answer['access']}"})
