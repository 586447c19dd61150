"""What a person holds from the dashboard, as plain values."""

from dataclasses import dataclass
from datetime import datetime

from consumers.models import ConsumerGroup
from consumers.services.leasing import LeasedDelivery, list_held_in_browsers
from observability.dashboard.queries.event_view import EventView, view_event
from streams.lookup import StreamInfo

READ_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HeldView:
    """A delivery that this person holds, or held until a moment ago.

    Attributes:
        left_seconds: by the server's clock, so that no browser's is asked; not above 0 when it has run out.
        is_elsewhere: it was taken in another browser, or before the last sign-in.
    """

    id: int
    token: str
    partition: int
    first_offset: int
    last_offset: int
    delivery_count: int
    expires_at: datetime
    left_seconds: float
    events: tuple[EventView, ...]
    is_redrive: bool
    is_elsewhere: bool

    @property
    def has_run_out(self) -> bool:
        return self.left_seconds <= 0

    @property
    def unshown_count(self) -> int:
        """Events that were not read for the page: there are too many, or retention took them meanwhile."""
        return self.last_offset - self.first_offset + 1 - len(self.events)


def list_held_views(*, stream: StreamInfo, group: ConsumerGroup, user_id: int, here: str) -> list[HeldView]:
    """Return what a person holds of the group, whichever page or browser it was taken in; `here` is this one's name."""
    held = list_held_in_browsers(stream=stream, group=group, user_id=user_id, max_bytes=READ_BYTES)
    return [view_held(each, left_seconds=each.left_seconds, is_elsewhere=each.leased_by != here) for each in held]


def view_held(held: LeasedDelivery, *, left_seconds: float, is_elsewhere: bool = False) -> HeldView:
    return HeldView(
        id=held.id,
        token=str(held.token),
        partition=held.partition,
        first_offset=held.first_offset,
        last_offset=held.last_offset,
        delivery_count=held.delivery_count,
        expires_at=held.expires_at,
        left_seconds=left_seconds,
        events=tuple(view_event(raw) for raw in held.events),
        is_redrive=held.dead_letter_id is not None,
        is_elsewhere=is_elsewhere,
    )
