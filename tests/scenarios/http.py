"""HTTP to a server in another process, from a test or from a consumer of its own."""

import http.client
import json
from typing import Any


class Server:
    """One keep-alive connection, as one caller."""

    def __init__(self, port: int, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        status, answer, _ = self.exchange(method, path, body)
        return status, answer

    def exchange(self, method: str, path: str, body: Any = None) -> tuple[int, Any, http.client.HTTPMessage]:
        """Return the status, the JSON and the headers of an answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        self._connection.request(method, f"/api/v1{path}", content, headers)
        response = self._connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None, response.headers

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of an answer that must be a success."""
        status, answer = self.call(method, path, body)
        assert 200 <= status < 300, (method, path, status, answer)
        return answer
