"""The first deliveries of a group in an order: however many there are, each order is read from the end of an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from consumers.delivery_queries import list_deliveries
from consumers.models import ConsumerGroup

if TYPE_CHECKING:
    from consumers.delivery_queries import PresentDelivery

_OFFSETS = ("partition_id", "first_offset")
# Redrives stand outside of the group's order, in an index of their own.
_BY_OFFSET = [(Q(dead_letter__isnull=True), _OFFSETS), (Q(dead_letter__isnull=False), _OFFSETS)]
_EXPIRED = Q(lease_expires_at__lte=Now())
_BY_EXPIRY = ("lease_expires_at",)
_LEASED = (Q(state="leased") & ~_EXPIRED, _BY_EXPIRY)
_WAITING = [
    (Q(state="leased") & _EXPIRED, _BY_EXPIRY),
    (Q(state="waiting", is_alone=False, suspect_limit=0), ("available_at",)),
    (Q(state="waiting", is_alone=False, suspect_limit__gt=0), ("available_at",)),
    (Q(state="waiting", is_alone=True), ("available_at",)),
]
_HELD_UP = (Q(state="held_up"), _OFFSETS)
_EXHAUSTED = (Q(state="exhausted"), _OFFSETS)


class DeliverySort(StrEnum):
    """What a list of deliveries goes by. By failures it goes one way: the many without have no index of their own."""

    OFFSET = "offset"
    STATE = "state"
    DUE = "due"
    FAILURES = "failures"


def list_first_deliveries(
    group: ConsumerGroup, sort: DeliverySort, *, is_descending: bool = False, limit: int
) -> list[PresentDelivery]:
    """Return up to `limit` deliveries, the first in this order; what is held up or out of attempts has no time.

    Raises:
        WrongMode
    """
    look = _Look(list_deliveries(group), is_descending=is_descending, limit=limit)
    parts = _PARTS[sort]
    if sort is DeliverySort.STATE and is_descending:
        parts = parts[::-1]
    # A part that is not reached is not asked for.
    return list(islice(chain.from_iterable(part(look) for part in parts), limit))


@dataclass(frozen=True, slots=True)
class _Look:
    """The beginning of some parts of a list, each with one question for each of the indexes that it is in."""

    rows: QuerySet[PresentDelivery]
    is_descending: bool
    limit: int

    def by_offset(self) -> list[PresentDelivery]:
        return self._merge(_BY_OFFSET, _offset_of)

    def by_time(self) -> list[PresentDelivery]:
        return self._merge([_LEASED, *_WAITING], _time_of)

    def leased(self) -> list[PresentDelivery]:
        return self._merge([_LEASED], _time_of)

    def waiting(self) -> list[PresentDelivery]:
        return self._merge(_WAITING, _time_of)

    def held_up(self) -> list[PresentDelivery]:
        return self._merge([_HELD_UP], _offset_of)

    def exhausted(self) -> list[PresentDelivery]:
        return self._merge([_EXHAUSTED], _offset_of)

    def failed(self) -> list[PresentDelivery]:
        return list(self.rows.filter(failure_count__gt=0).order_by("-failure_count", *_OFFSETS)[: self.limit])

    def never_failed(self) -> list[PresentDelivery]:
        # Asked for where fewer than a page have failed: it has no more of them to pass by.
        never = Q(failure_count=0)
        return self._merge([(never & wanted, order) for wanted, order in _BY_OFFSET], _offset_of)

    def _merge(
        self, ranges: Sequence[tuple[Q, Sequence[str]]], key: Callable[[PresentDelivery], Any]
    ) -> list[PresentDelivery]:
        sign = "-" if self.is_descending else ""
        found = chain.from_iterable(
            self.rows.filter(wanted).order_by(*(f"{sign}{column}" for column in order))[: self.limit]
            for wanted, order in ranges
        )
        return sorted(found, key=key, reverse=self.is_descending)[: self.limit]


def _offset_of(delivery: PresentDelivery) -> tuple[int, int, int]:
    return delivery.partition_id, delivery.first_offset, delivery.pk


def _time_of(delivery: PresentDelivery) -> Any:
    """When its lease expires, or when it may be leased again."""
    return delivery.lease_expires_at or delivery.available_at


_PARTS: dict[DeliverySort, list[Callable[[_Look], list[PresentDelivery]]]] = {
    DeliverySort.OFFSET: [_Look.by_offset],
    DeliverySort.DUE: [_Look.by_time, _Look.held_up, _Look.exhausted],
    DeliverySort.STATE: [_Look.leased, _Look.waiting, _Look.held_up, _Look.exhausted],
    DeliverySort.FAILURES: [_Look.failed, _Look.never_failed],
}
