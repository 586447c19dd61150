"""Leases put in order: who was given which events when, and what became of it. Wall times are the database's."""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.faults.checker.facts import Facts
from tests.faults.contract import UNKNOWN
from tests.faults.history import LeaseRow, Request
from tests.faults.world import GroupPlan

# One event of a group.
Held = tuple[str, int, int]
ENDING = {"ack": "acked", "nack": "nacked", "release": "released"}


@dataclass(slots=True)
class Say:
    """What a request said of one lease, and what it was told; `result` is None where the outcome is unknown."""

    request: Request
    item: dict[str, Any]
    result: str | None
    is_repeated: bool

    @property
    def failed(self) -> dict[int, tuple[float | None, bool]]:
        """Offsets that an ack named as failed: the delay it asked for, and whether that was the last attempt."""
        return {offset: (delay, terminal) for offset, delay, terminal in self.item.get("failed", ())}

    def may_have(self, verb: str) -> bool:
        """Whether it may have ended its lease that way."""
        return self.request.kind == verb and self.result in (None, ENDING[verb])


@dataclass(slots=True)
class Lease:
    """A delivery that an answer carried. `start` and `expires`: wall time, as granted; `until`: extensions included."""

    request: Request
    plan: GroupPlan
    told: dict[str, Any]
    start: float
    until: float
    says: list[Say] = field(default_factory=list)

    @property
    def group(self) -> str:
        return self.request.group

    def events(self) -> list[Held]:
        offsets = range(self.told["first"], self.told["last"] + 1)
        return [(self.group, self.told["partition"], offset) for offset in offsets]


class LeaseFacts:
    """All leases of a history."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def all(self) -> list[Lease]:
        found: dict[tuple[str, int, str], Lease] = {}
        for request in self.facts.durable("lease"):
            plan = self.facts.world.group(request.group)
            for told in request.got["deliveries"]:
                start = told["expires"] - request.sent["ack_wait"]
                found[request.group, told["id"], told["token"]] = Lease(request, plan, told, start, told["expires"])
        for request in (each for kind in ("ack", "nack", "release", "extend") for each in self.facts.by_kind[kind]):
            for item in request.sent["items"]:
                lease = found.get((request.group, item["id"], item["token"]))
                if lease is not None:
                    lease.says.append(self._say(request, item))
                    if request.kind == "extend" and str(item["id"]) in request.got.get("expires", {}):
                        lease.until = max(lease.until, request.got["expires"][str(item["id"])])
        for lease in found.values():
            lease.says.sort(key=lambda each: each.request.begun)
        return sorted(found.values(), key=lambda each: each.start)

    @staticmethod
    def _say(request: Request, item: dict[str, Any]) -> Say:
        if request.outcome == UNKNOWN:
            return Say(request, item, None, is_repeated=False)
        result = request.got.get("results", {}).get(str(item["id"]), "refused")
        return Say(request, item, result, item["id"] in request.got.get("repeated", ()))

    @cached_property
    def of_event(self) -> dict[Held, list[Lease]]:
        """Each event's leases, in order of their start."""
        found: dict[Held, list[Lease]] = defaultdict(list)
        for lease in self.all:
            for event in lease.events():
                found[event].append(lease)
        return found

    @cached_property
    def lapses(self) -> dict[Held, list[LeaseRow]]:
        """How events expired in nobody's hands, by the server's own record."""
        found: dict[Held, list[LeaseRow]] = defaultdict(list)
        for row in self.facts.rows:
            for offset in range(row.first, row.last + 1) if row.outcome == "lapsed" else ():
                found[row.group, row.partition, offset].append(row)
        return found

    @cached_property
    def acks(self) -> dict[Held, list[tuple[Lease, Say]]]:
        """Acks that may have finished an event, those whose outcome is unknown included."""
        found: dict[Held, list[tuple[Lease, Say]]] = defaultdict(list)
        for lease in self.all:
            for say in lease.says:
                if say.may_have("ack"):
                    failed = say.failed
                    for event in lease.events():
                        if event[2] not in failed:
                            found[event].append((lease, say))
        return found


def leases_of(facts: Facts) -> LeaseFacts:
    """The leases of a history, put in order once."""
    if "lease_facts" not in facts.extras:
        facts.extras["lease_facts"] = LeaseFacts(facts)
    return facts.extras["lease_facts"]
