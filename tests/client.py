"""HTTP as a test speaks it: Django's client with a credential, and JSON both ways."""

from typing import Any

import orjson
from django.test import Client


class ApiClient:
    """Sends requests as one caller.

    Args:
        key: an API key's text, or
        token: an access token.
    """

    def __init__(self, *, key: str | None = None, token: str | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"X-API-Key": key} if key else {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **parameters: Any) -> Any:
        headers = self.headers | parameters.pop("headers", {})
        return self.client.get(url(path), parameters, headers=headers)

    def post(self, path: str, body: Any = None, *, content_type: str = "application/json", **headers: str) -> Any:
        return self._send("post", path, body, content_type, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("patch", path, body, "application/json", headers)

    def delete(self, path: str, **headers: str) -> Any:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.delete(url(path), headers=self.headers | extra)

    def put(self, path: str) -> Any:
        return self.client.put(url(path), headers=self.headers)

    def _send(self, method: str, path: str, body: Any, content_type: str, headers: dict[str, str]) -> Any:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return getattr(self.client, method)(url(path), content, content_type=content_type, headers=self.headers | extra)


def url(path: str) -> str:
    return path if path.startswith("/api/") else f"/api/v1{path}"
