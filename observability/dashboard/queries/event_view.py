"""One event as pages show it. Pure: bytes in, plain values out; the payload's characters stay as they were sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from observability.operations.simulations.headers import SIMULATION_HEADER
from streams.stored_event import Edit, Erasure, decode_event

PREVIEW_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class EventView:
    """An event; `payload` is its JSON text, character for character."""

    partition: int
    offset: int
    recorded_at: datetime
    id: str
    type: str
    key: str | None
    occurred_at: datetime | None
    # From when on, and until when, lease mode hands it out; None: at once, for ever.
    due_at: datetime | None
    expires_at: datetime | None
    headers: tuple[tuple[str, str], ...]
    payload: str
    raw: str
    # The version of its type's schema that the payload was not as when it was stored.
    unfit_for: int | None
    edited: Edit | None
    erased: Erasure | None

    @property
    def preview(self) -> str:
        """The payload's beginning, for a line of a list."""
        return self.payload if len(self.payload) <= PREVIEW_CHARACTERS else self.payload[:PREVIEW_CHARACTERS] + "…"

    @property
    def size(self) -> int:
        return len(self.raw.encode())

    @property
    def is_simulated(self) -> bool:
        return is_simulated(name for name, _ in self.headers)


def is_simulated(header_names: Iterable[str]) -> bool:
    """Whether an event with these headers was made by a simulation."""
    return SIMULATION_HEADER in header_names


def view_event(raw: bytes) -> EventView:
    """Return an event as the log gave it out, for showing."""
    event = decode_event(raw)
    return EventView(
        partition=event.partition,
        offset=event.offset,
        recorded_at=event.recorded_at,
        id=event.id,
        type=event.type,
        key=event.key,
        occurred_at=event.occurred_at,
        due_at=event.due_at,
        expires_at=event.expires_at,
        headers=tuple(event.headers.items()),
        payload=event.payload_text,
        raw=raw.decode(),
        unfit_for=event.schema.version if event.schema and not event.schema.valid else None,
        edited=event.edited,
        erased=event.erased,
    )
