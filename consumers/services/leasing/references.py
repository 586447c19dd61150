"""Leases as their consumers name them, and what they are told of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from consumers.isolation import FailedEvent
from consumers.models import ConsumerGroup
from consumers.services.leasing.rows import HeldRow, Key
from consumers.statements import run
from consumers.states import Outcome


class LeaseResult(StrEnum):
    """What became of one delivery that a request named."""

    ACKED = "acked"
    NACKED = "nacked"
    RELEASED = "released"
    EXTENDED = "extended"
    LEASE_LOST = "lease_lost"


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """A delivery and the token under which the caller says to hold it."""

    delivery_id: int
    token: UUID

    @property
    def key(self) -> Key:
        return self.delivery_id, self.token


@dataclass(frozen=True, slots=True)
class Ack(LeaseRef):
    """All of it is done, but for the events named as failed."""

    failed: Sequence[FailedEvent] = ()


@dataclass(frozen=True, slots=True)
class Nack(LeaseRef):
    """All of it failed. Without a delay of its own it follows the group's backoff."""

    error: str = ""
    delay_seconds: float | None = None
    is_terminal: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The answer for one delivery; `is_repeated`: the same verb had ended the lease before."""

    delivery_id: int
    result: LeaseResult
    is_repeated: bool = False
    expires_at: datetime | None = None


def columns(leases: Iterable[LeaseRef]) -> dict[str, list[object]]:
    """The leases as statements take them, each once, though several calls may name the same."""
    keys = dict.fromkeys(lease.key for lease in leases)
    return {"delivery_ids": [delivery_id for delivery_id, _ in keys], "tokens": [token for _, token in keys]}


def hold(group: ConsumerGroup, leases: Iterable[LeaseRef]) -> dict[Key, HeldRow]:
    """Hold those that their callers hold; the offset rows of their partitions are held already."""
    rows = (HeldRow(*row) for row in run("hold_deliveries", group_id=group.pk, **columns(leases)))
    return {(row.id, row.lease_token): row for row in rows}


def remember(group: ConsumerGroup, ended: Iterable[Key], outcome: Outcome) -> None:
    """Remember leases that end here, so that whoever says it again is told the same."""
    keys = list(ended)
    if keys:
        run(
            "remember_ended",
            group_id=group.pk,
            outcome=outcome.value,
            delivery_ids=[delivery_id for delivery_id, _ in keys],
            tokens=[token for _, token in keys],
        )


def tell(
    group: ConsumerGroup, calls: Sequence[Sequence[LeaseRef]], done: Iterable[Key], result: LeaseResult
) -> list[list[DeliveryResult]]:
    """Answer each call for each of its leases: done now, done before by the same verb, or lost."""
    now = set(done)
    missing = [lease for leases in calls for lease in leases if lease.key not in now]
    before = {
        (delivery_id, token): outcome
        for delivery_id, token, outcome in (run("find_ended", group_id=group.pk, **columns(missing)) if missing else ())
    }
    repeatable = {key for key, outcome in before.items() if outcome == result.value}
    answers = []
    for leases in calls:
        answer = []
        for lease in leases:
            is_done, is_repeated = lease.key in now, lease.key in repeatable
            # Of several calls that say the same in one transaction the first does it, and the others repeat it.
            if is_done:
                now.discard(lease.key)
                repeatable.add(lease.key)
            told = result if is_done or is_repeated else LeaseResult.LEASE_LOST
            answer.append(DeliveryResult(lease.delivery_id, told, is_repeated=is_repeated))
        answers.append(answer)
    return answers
