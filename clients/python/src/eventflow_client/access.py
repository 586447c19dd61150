"""Where the installation is and who asks, from what is given or from the environment."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

NOT_INSTALLED: Final = "0"
DEFAULT_URL: Final = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Access:
    url: str
    headers: dict[str, str]


def find_access(url: str | None, key: str | None, token: str | None) -> Access:
    """Return the address and the headers of every request.

    Raises:
        ValueError: no credential, or two.
    """
    url = url or os.environ.get("EVENTFLOW_API") or DEFAULT_URL
    if key and token:
        raise ValueError("Give `key` or `token`, not both: a request carries one credential.")
    key = key or (None if token else os.environ.get("EVENTFLOW_KEY"))
    if not key and not token:
        raise ValueError("No credential: give `key` (evf_…) or `token`, or set EVENTFLOW_KEY.")
    credential = {"X-API-Key": key} if key else {"Authorization": f"Bearer {token}"}
    return Access(url, {**credential, "User-Agent": f"eventflow-client/{own_version()} python"})


def own_version() -> str:
    """Return this package's version; NOT_INSTALLED where it is only on the path."""
    try:
        return version("eventflow-client")
    except PackageNotFoundError:
        return NOT_INSTALLED
