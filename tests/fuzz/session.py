"""The session of the person who fuzzes. It is kept in a file: the fuzzer renews it while it runs, and we do afterwards."""

import json
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple


class Session(NamedTuple):
    """Where a session's tokens lie; `id` is its own, as it stands in addresses."""

    api: str
    file: Path
    id: str

    @classmethod
    def begin(cls, api: str, file: Path, *, email: str, password: str) -> "Session":
        tokens = call(f"{api}/auth/login", {"email": email, "password": password})
        file.write_text(tokens["refresh"])
        mine = call(f"{api}/auth/sessions", Authorization=f"Bearer {tokens['access']}")["data"]
        return cls(api, file, next(each["id"] for each in mine if each["current"]))

    def headers(self) -> dict[str, str]:
        """Return what says who asks, for the next minutes.

        Signing in again would do no longer: the fuzzer has guessed passwords from this address.
        """
        tokens = call(f"{self.api}/auth/refresh", {"refresh": self.file.read_text()})
        self.file.write_text(tokens["refresh"])
        return {"Authorization": f"Bearer {tokens['access']}"}


def call(url: str, body: Any = None, **headers: str) -> Any:
    """Send a body, or ask if there is none; return what is answered.

    Raises:
        urllib.error.HTTPError: it is refused.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
