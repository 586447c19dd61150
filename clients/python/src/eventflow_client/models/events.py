"""Events as they are read, where appended ones went, and ranges that are handed out."""

import builtins
import json
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from ..once import once

T = TypeVar("T")


class Event(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """One event of a stream.

    Attributes:
        partition, offset: where it is; offsets start at 1.
        recorded_at: when the server stored it.
        deliver_after, expires_after: as they were given: a time, or seconds after `recorded_at`; `due_at` and
            `expires_at` are what that comes to.
        raw_payload: its JSON, byte for byte as it was sent.
        edited: of a redriven event whose payload somebody changed: by whom, when, and the original's SHA-256.
        erased: of an event whose payload was erased: when, and how much it was.
    """

    partition: int
    offset: int
    recorded_at: datetime
    id: str
    type: str
    key: str | None = None
    occurred_at: datetime | None = None
    deliver_after: datetime | float | None = None
    expires_after: float | None = None
    headers: dict[str, str] = {}
    raw_payload: msgspec.Raw = msgspec.field(name="payload", default=msgspec.Raw(b"null"))
    edited: dict[str, Any] | None = None
    erased: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None

    @once
    def payload(self) -> Any:
        """The payload in Python's own types; integers of any size are exact."""
        try:
            return msgspec.json.decode(self.raw_payload)
        except msgspec.DecodeError:
            # Numbers like 1e400, which a producer may send, and which the standard library reads as infinite.
            return json.loads(bytes(self.raw_payload))

    def payload_as(self, kind: builtins.type[T]) -> T:
        """Return the payload as a struct, a dataclass, a TypedDict …

        Raises:
            msgspec.ValidationError: it does not fit.
        """
        return msgspec.json.decode(self.raw_payload, type=kind)

    @property
    def due_at(self) -> datetime:
        """From when on lease mode hands it out."""
        if self.deliver_after is None:
            return self.recorded_at
        if isinstance(self.deliver_after, datetime):
            return max(self.deliver_after, self.recorded_at)
        return self.recorded_at + timedelta(seconds=self.deliver_after)

    @property
    def expires_at(self) -> datetime | None:
        """From when on lease mode does not hand it out any more; None: it always does."""
        return None if self.expires_after is None else self.recorded_at + timedelta(seconds=self.expires_after)

    @property
    def traceparent(self) -> str | None:
        return self.headers.get("traceparent")


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event went.

    Attributes:
        is_duplicate: the stream stores ids once and had this one: this is its first place.
    """

    id: str
    stream: str
    partition: int
    offset: int
    recorded_at: datetime
    is_duplicate: bool = msgspec.field(name="duplicate", default=False)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets that retention took before the group was given them."""

    partition: int
    first_offset: int
    last_offset: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A contiguous range of events that is leased to one member of a group."""

    delivery_id: int
    lease_token: str
    partition: int
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int = 0
    round: int = 0
    dead_letter_id: int | None = None
    expires_at: datetime
    events: tuple[Event, ...]


class OpenDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as those see it who look on: who has it, since when, with its last error.

    Attributes:
        available_at: when it may be handed out; of what is `scheduled`, when its events are due.
        event_expires_at: from then on its events are not handed out any more; None: they always are.
    """

    delivery_id: int
    partition: int
    first_offset: int
    last_offset: int
    state: str
    delivery_count: int
    failure_count: int
    round: int = 0
    leased_by: str = ""
    leased_at: datetime | None = None
    expires_at: datetime | None = None
    available_at: datetime | None = None
    event_expires_at: datetime | None = None
    last_error: str = ""
    last_failed_at: datetime | None = None
