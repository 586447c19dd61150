"""What the page of a group lists of its deliveries, and by what that can be sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from consumers.delivery_order import DeliverySort, list_first_deliveries
from consumers.models import ConsumerGroup

if TYPE_CHECKING:
    from consumers.delivery_queries import PresentDelivery

COLUMNS = {
    DeliverySort.OFFSET: "Offsets",
    DeliverySort.STATE: "State",
    DeliverySort.DUE: "Who, until when",
    DeliverySort.FAILURES: "Failures",
}
# The most failed first, and no other way (consumers/delivery_order.py).
ONE_WAY = DeliverySort.FAILURES


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery that is under way or waits for its next attempt."""

    id: int
    partition: int
    first_offset: int
    last_offset: int
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str
    lease_expires_at: datetime | None
    available_at: datetime | None
    event_expires_at: datetime | None
    last_error: str
    is_redrive: bool


@dataclass(frozen=True, slots=True)
class SortColumn:
    """The head of a column: `url` sorts by it, or turns it round; `aria` is how the list is sorted by it now."""

    name: str
    label: str
    url: str
    aria: str


def list_delivery_rows(
    group: ConsumerGroup, sort: DeliverySort, *, is_descending: bool, limit: int
) -> list[DeliveryRow]:
    """Return the first deliveries that a lease-mode group has not finished, in this order."""
    return [
        view_delivery(each) for each in list_first_deliveries(group, sort, is_descending=is_descending, limit=limit)
    ]


def sort_columns(path: str, sort: DeliverySort, *, is_descending: bool) -> Sequence[SortColumn]:
    """Return the columns that a list at this address can be sorted by."""
    return [_column(path, each, sort, is_descending) for each in DeliverySort]


def _column(path: str, column: DeliverySort, sort: DeliverySort, is_descending: bool) -> SortColumn:  # noqa: FBT001
    if column is not sort:
        return SortColumn(column, COLUMNS[column], f"{path}?{urlencode({'sort': column})}", "")
    if column is ONE_WAY:
        return SortColumn(column, COLUMNS[column], "", "descending")
    turned = {"sort": column} if is_descending else {"sort": column, "order": "desc"}
    aria = "descending" if is_descending else "ascending"
    return SortColumn(column, COLUMNS[column], f"{path}?{urlencode(turned)}", aria)


def view_delivery(delivery: PresentDelivery) -> DeliveryRow:
    return DeliveryRow(
        id=delivery.pk,
        partition=delivery.partition.number,
        first_offset=delivery.first_offset,
        last_offset=delivery.last_offset,
        state=delivery.present_state,
        delivery_count=delivery.delivery_count,
        failure_count=delivery.failure_count,
        leased_by=delivery.leased_by,
        lease_expires_at=delivery.lease_expires_at,
        available_at=delivery.available_at,
        event_expires_at=delivery.event_expires_at,
        last_error=delivery.last_error,
        is_redrive=delivery.dead_letter_id is not None,
    )
