"""The setting `EVENTFLOW`, typed, with what holds where it says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `EVENTFLOW = {"URL": …}` may say, in capitals.

    Attributes:
        url: where EventFlow is; otherwise EVENTFLOW_API in the environment.
        key: an API key; otherwise EVENTFLOW_KEY.
        database: the alias of the database that outbox and marks are in: the one whose transactions publish.
        batch_events: how many events one request carries, 1 to 1,000.
        batch_bytes: how large one request is at most; the server takes 8 MiB.
        attempt_seconds: how long an attempt to send may take. A row stays locked meanwhile.
        pause_seconds: how long the relay rests when nothing waits.
        longest_pause_seconds: between two attempts to send what did not get through.
    """

    url: str | None = None
    key: str | None = None
    database: str = "default"
    batch_events: int = 500
    batch_bytes: int = 4 * 1024 * 1024
    attempt_seconds: float = 10.0
    pause_seconds: float = 0.5
    longest_pause_seconds: float = 60.0


def given() -> dict[str, Any]:
    """Return the setting as it was written; nothing if it is no dictionary, which a system check says."""
    written = getattr(settings, "EVENTFLOW", {})
    return dict(written) if isinstance(written, Mapping) else {}


def unknown_names() -> list[str]:
    """Return what the setting says that nobody understands."""
    known = {each.name.upper() for each in fields(Configuration)}
    return sorted(map(str, set(given()) - known))


def configuration() -> Configuration:
    """Return what holds now; tests may override the setting."""
    known = {each.name for each in fields(Configuration)}
    said = {str(name).lower(): value for name, value in given().items()}
    return Configuration(**{name: value for name, value in said.items() if name in known})
