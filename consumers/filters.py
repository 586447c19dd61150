"""Which events a group is given: those of its filter, or all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.stored_event import Routing


class Filter(NamedTuple):
    """Events of one of these types (empty: of any), that have all of these headers with these values."""

    types: frozenset[str]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Filter | None:
        """Return what a group's column says, `{"types": […], "headers": {…}}`; None: it is given everything."""
        if not stored:
            return None
        return cls(frozenset(stored.get("types", ())), stored.get("headers", {}))

    def lets_through(self, event: Routing) -> bool:
        if self.types and event.type not in self.types:
            return False
        return all(event.headers.get(name) == value for name, value in self.headers.items())


def as_stored(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a filter as it is kept: equal ones alike, and one that lets everything through as none."""
    types = sorted(set((given or {}).get("types", ())))
    headers = dict(sorted((given or {}).get("headers", {}).items()))
    stored = {"types": types, "headers": headers}
    return {name: value for name, value in stored.items() if value} or None
