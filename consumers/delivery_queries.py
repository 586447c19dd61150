"""Questions about deliveries: where they stand at this moment, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from accounts.row_ids import row_id_in
from consumers.conf import MAX_COUNTED_SCHEDULED
from consumers.errors import DeliveryNotFound, WrongMode
from consumers.models import ConsumerGroup, Delivery, Mode
from consumers.statements import run
from consumers.states import SCHEDULED, DeliveryState

# A lease that has expired is nobody's any more, by the database's clock: what it held waits to be leased again,
# whether or not somebody has come by to end the lease. What is for later waits too, and is called by its own name.
_scheduled = Q(state=DeliveryState.WAITING, delivery_count=0, available_at__gt=Now())
_present_state = Case(
    When(state=DeliveryState.LEASED, lease_expires_at__lte=Now(), then=Value(DeliveryState.WAITING)),
    When(_scheduled, then=Value(SCHEDULED)),
    default=F("state"),
)


if TYPE_CHECKING:
    # It is there for the type checker alone.
    from django_stubs_ext import WithAnnotations

    class _Present(TypedDict):
        present_state: str

    # A delivery with where it stands at this moment.
    PresentDelivery: TypeAlias = WithAnnotations[Delivery, _Present]


def list_deliveries(group: ConsumerGroup, state: str | None = None) -> QuerySet[PresentDelivery]:
    """What the group has in hand and has not finished; `present_state` says where each stands at this moment.

    Raises:
        WrongMode: an offset-mode group has no deliveries.
    """
    if group.mode != Mode.LEASE:
        raise WrongMode(f"{group.name} commits offsets: it has no deliveries.")
    deliveries = Delivery.objects.filter(group=group).select_related("partition").annotate(present_state=_present_state)
    if state is None:
        return deliveries
    if state == SCHEDULED:
        return deliveries.filter(_scheduled)
    # The states that rows may have, for the indexes that hold one state only.
    stored = [state, DeliveryState.LEASED] if state == DeliveryState.WAITING else [state]
    return deliveries.filter(state__in=stored, present_state=state)


def get_delivery(group: ConsumerGroup, delivery_id: int | str) -> PresentDelivery:
    """Return one delivery of the group.

    Args:
        delivery_id: as it stands in an address; what is no id finds nothing.

    Raises:
        WrongMode, DeliveryNotFound
    """
    deliveries = list_deliveries(group)
    number = row_id_in(str(delivery_id))
    found = None if number is None else deliveries.filter(pk=number).first()
    if found is None:
        raise DeliveryNotFound
    return found


@dataclass(frozen=True, slots=True)
class InHand:
    """Events that a lease-mode group was handed, or had held up, and has not finished, redriven ones included.

    Attributes:
        in_flight: a member holds a lease on them at this moment.
        waiting: given back, failed, redriven, expired or due: they are leased again, or now.
        suspected: of those two, events that a consumer may have died of and that are not cleared yet.
        exhausted: no attempt is left; they become dead letters within a second or so, and are neither of the two.
        held_up: something of their key is unfinished before them; nobody was handed them yet.
        scheduled: they are for later, and the group has come to them; they are none of the others.
        is_at_least: more are scheduled: too many to count.
        next_at: when the first of these is due.
    """

    in_flight: int = 0
    waiting: int = 0
    suspected: int = 0
    exhausted: int = 0
    held_up: int = 0
    scheduled: int = 0
    is_at_least: bool = False
    next_at: datetime | None = None


def count_in_hand(group_ids: Collection[int]) -> dict[int, InHand]:
    """Count what each group has in hand, by its id; who has nothing is not among them."""
    rows = run("count_in_hand", group_ids=list(group_ids), max_scheduled=MAX_COUNTED_SCHEDULED)
    counts: dict[int, dict[str, tuple[int, int, datetime | None]]] = {}
    suspected: Counter[int] = Counter()
    for group_id, state, events, suspects, deliveries, next_at in rows:
        suspected[group_id] += suspects
        counts.setdefault(group_id, {})[state] = events, deliveries, next_at
    nothing = 0, 0, None
    found = {}
    for group_id, by_state in counts.items():
        scheduled, deliveries, next_at = by_state.get(SCHEDULED, nothing)
        found[group_id] = InHand(
            in_flight=by_state.get(DeliveryState.LEASED, nothing)[0],
            waiting=by_state.get(DeliveryState.WAITING, nothing)[0],
            suspected=suspected[group_id],
            exhausted=by_state.get(DeliveryState.EXHAUSTED, nothing)[0],
            held_up=by_state.get(DeliveryState.HELD_UP, nothing)[0],
            scheduled=scheduled,
            is_at_least=deliveries >= MAX_COUNTED_SCHEDULED,
            next_at=next_at,
        )
    return found
