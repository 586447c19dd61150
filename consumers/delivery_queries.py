"""Questions about deliveries: where they stand at this moment, and how many there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from django.db.models import Case, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Now

from accounts.row_ids import row_id_in
from consumers.errors import DeliveryNotFound, WrongMode
from consumers.models import ConsumerGroup, Delivery, Mode
from consumers.queries import GroupIds
from consumers.states import DeliveryState

# A lease that has expired is nobody's any more, by the database's clock: what it held waits to be leased again,
# whether or not somebody has come by to end the lease.
_present_state = Case(
    When(state=DeliveryState.LEASED, lease_expires_at__lte=Now(), then=Value(DeliveryState.WAITING)),
    default=F("state"),
)
_events = F("last_offset") - F("first_offset") + 1


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
        waiting: given back, failed, redriven or expired: they are leased again.
        suspected: of those two, events that a consumer may have died of and that are not cleared yet.
        exhausted: no attempt is left; they become dead letters within a second or so, and are neither of the two.
        held_up: something of their key is unfinished before them; nobody was handed them yet.
    """

    in_flight: int = 0
    waiting: int = 0
    suspected: int = 0
    exhausted: int = 0
    held_up: int = 0


def count_in_hand(group_ids: GroupIds) -> dict[int, InHand]:
    """Count what each group has in hand, by its id; who has nothing is not among them."""
    deliveries = Delivery.objects.filter(group_id__in=group_ids).order_by()
    sums = (
        deliveries.annotate(present_state=_present_state)
        .values_list("group_id", "present_state")
        .annotate(events=Sum(_events), suspected=Sum(_events, filter=Q(suspect_limit__gt=0), default=0))
    )
    counts: dict[int, dict[str, int]] = {}
    suspected: Counter[int] = Counter()
    for group_id, state, events, suspects in sums:
        counts.setdefault(group_id, {})[state] = events
        suspected[group_id] += suspects
    return {
        group_id: InHand(
            in_flight=by_state.get(DeliveryState.LEASED, 0),
            waiting=by_state.get(DeliveryState.WAITING, 0),
            suspected=suspected[group_id],
            exhausted=by_state.get(DeliveryState.EXHAUSTED, 0),
            held_up=by_state.get(DeliveryState.HELD_UP, 0),
        )
        for group_id, by_state in counts.items()
    }
