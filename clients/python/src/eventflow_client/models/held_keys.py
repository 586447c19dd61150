"""Which keys of a group with `ordering: key` hold up events, and by what."""

from datetime import datetime

import msgspec


class HeldKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of which events wait for their turn, and the event before them that is not finished.

    Attributes:
        key: None where retention has taken the event that has it.
        held_up: how many of its events wait for their turn.
        since: when the first of them was found to have to wait.
        offset, delivery_id: of the event that holds them up, and of its delivery.
        state: `leased`: somebody works on it; `waiting`: for its time; `exhausted`: about to be a dead letter.
    """

    partition: int
    key: str | None
    held_up: int
    since: datetime
    offset: int
    delivery_id: int
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str = ""
    expires_at: datetime | None = None
    available_at: datetime | None = None
    last_error: str = ""


class HeldKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a group holds up.

    Attributes:
        held_up: how many events, of all keys.
        most: how many may be: a partition whose next event would be one more hands out nothing new.
        keys: those held up longest, first.
    """

    held_up: int
    most: int
    keys: list[HeldKey] = msgspec.field(name="data")
