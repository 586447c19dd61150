"""What a history tells, put in order for the checks: appends by name, what was seen where, the final log."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.faults.actors.auditor import AUDITOR
from tests.faults.contract import DURABLE, REFUSED, UNREACHED
from tests.faults.events import names_of
from tests.faults.history import Clock, Fault, History, LeaseRow, Mark, Request

# A stream's partition, and a place in it.
Lane = tuple[str, int]
_MARGIN_SECONDS = 1.0


@dataclass(slots=True)
class Append:
    """All attempts at one append: the first, and the retries of it."""

    base: str
    stream: str
    names: list[str]
    attempts: list[Request] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether it is the name of one of these events."""
        index = name.rpartition(".")[2]
        return index.isdecimal() and int(index) < len(self.names) and self.names[int(index)] == name

    @property
    def told(self) -> list[Request]:
        """The attempts that were answered as stored."""
        return [each for each in self.attempts if each.outcome == DURABLE]

    @property
    def is_refused(self) -> bool:
        return all(each.outcome in (REFUSED, UNREACHED) for each in self.attempts)

    @property
    def begun(self) -> float:
        return min(each.begun for each in self.attempts)

    @property
    def answered(self) -> Request | None:
        """The first attempt that was answered as stored."""
        return min(self.told, key=lambda each: each.ended, default=None)


@dataclass(slots=True)
class KeptLog:
    """What the auditor read of one partition in the end: `names[i]` is at `earliest + i`."""

    earliest: int = 1
    names: list[str] = field(default_factory=list)
    head: int = 0

    def at(self, offset: int) -> str | None:
        index = offset - self.earliest
        return self.names[index] if 0 <= index < len(self.names) else None


@dataclass(frozen=True, slots=True)
class Sight:
    """An event that somebody was given."""

    lane: Lane
    offset: int
    name: str
    request: Request


class Facts:
    """All that is worked out once and used by several checks."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.world = history.world
        self.requests: list[Request] = sorted(history.all(Request), key=lambda each: each.ended)
        self.faults: list[Fault] = sorted(history.all(Fault), key=lambda each: each.begun)
        self.rows: list[LeaseRow] = history.all(LeaseRow)
        self.marks: list[Mark] = history.all(Mark)
        # What other modules work out of these facts, by name.
        self.extras: dict[str, Any] = {}
        self._clocks: list[Clock] = sorted(history.all(Clock), key=lambda each: each.at)

    @cached_property
    def by_kind(self) -> dict[str, list[Request]]:
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.requests:
            found[request.kind].append(request)
        return found

    def durable(self, *kinds: str) -> list[Request]:
        return [each for kind in kinds for each in self.by_kind[kind] if each.outcome == DURABLE]

    # --- appends -------------------------------------------------------------------------------------

    @cached_property
    def appends(self) -> dict[str, Append]:
        found: dict[str, Append] = {}
        for request in self.by_kind["append"]:
            base = request.sent["base"]
            if base not in found:
                found[base] = Append(base, request.stream, names_of(base, request.sent["count"]))
            found[base].attempts.append(request)
        return found

    # --- what was seen -------------------------------------------------------------------------------

    def sights(self) -> Iterator[Sight]:
        """Every event in every answer to a poll or a lease, edited copies left out."""
        for request in self.durable("poll"):
            for partition, first, names in request.got["runs"]:
                lane = (request.stream, partition)
                for offset, name in enumerate(names.split(), first):
                    yield Sight(lane, offset, name, request)
        for request in self.durable("lease"):
            for delivery in request.got["deliveries"]:
                lane = (request.stream, delivery["partition"])
                for offset, name in enumerate(delivery["names"].split(), delivery["first"]):
                    if not name.endswith("!") or name.startswith("?"):
                        yield Sight(lane, offset, name, request)

    @cached_property
    def logs(self) -> dict[Lane, KeptLog]:
        """The log as the auditor read it."""
        logs = {(stream.name, n): KeptLog() for stream in self.world.streams for n in range(stream.partitions)}
        for request in self.durable("poll"):
            if request.actor != AUDITOR:
                continue
            for partition, first, names in request.got["runs"]:
                log = logs[request.stream, partition]
                if not log.names:
                    log.earliest = first
                log.names += names.split()
            for number, head in request.got["head"].items():
                logs[request.stream, int(number)].head = head
        return logs

    @cached_property
    def places(self) -> dict[str, set[tuple[Lane, int]]]:
        """Where each event was ever seen; in the end of a run it is read by the auditor, so that this has all there is."""
        found: dict[str, set[tuple[Lane, int]]] = defaultdict(set)
        for sight in self.sights():
            found[sight.name].add((sight.lane, sight.offset))
        return found

    @cached_property
    def recorded(self) -> dict[tuple[Lane, int], float]:
        """When events were recorded that are for later or expire, by the database's clock."""
        return {
            ((request.stream, partition), offset): at
            for request in self.durable("poll", "lease")
            for partition, offset, at in request.got.get("recorded", ())
        }

    def may_be_gone(self, lane: Lane, offset: int) -> bool:
        """Whether retention may have taken what was there."""
        return self.world.stream(lane[0]).max_events is not None and offset < self.logs[lane].earliest

    # --- dead letters --------------------------------------------------------------------------------

    @cached_property
    def letters(self) -> dict[int, tuple[dict[str, Any], Request]]:
        """Each dead letter that the auditor found, in full."""
        return {each.got["id"]: (each.got, each) for each in self.durable("letter") if each.actor == AUDITOR}

    # --- time ----------------------------------------------------------------------------------------

    def mark(self, name: str, *, is_last: bool = False) -> float | None:
        moments = [mark.at for mark in self.marks if mark.name == name]
        return (moments[-1] if is_last else moments[0]) if moments else None

    @cached_property
    def calm(self) -> tuple[float, float] | None:
        """From when to when new events met waiting consumers and nothing broke."""
        begun = self.mark("calm")
        if begun is None:
            return None
        return begun, min((mark.at for mark in self.marks if mark.at > begun), default=begun)

    @cached_property
    def _troubles(self) -> list[tuple[float, float]]:
        """Stretches in which something was broken or not back yet, merged and in order."""
        merged: list[tuple[float, float]] = []
        stops = [(mark.at, mark.at) for mark in self.marks if mark.name in ("stopping", "stopped", "started")]
        raw = [(fault.begun, max(fault.ended, fault.back or fault.ended)) for fault in self.faults] + stops
        for begun, ended in sorted((begun - _MARGIN_SECONDS, ended + _MARGIN_SECONDS) for begun, ended in raw):
            if merged and begun <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
            else:
                merged.append((begun, ended))
        return merged

    def is_undisturbed(self, begun: float, ended: float) -> bool:
        """Whether nothing was broken at any moment of a stretch."""
        index = bisect_left(self._troubles, (begun, begun))
        near = self._troubles[max(0, index - 1) : index + 1]
        return all(until < begun or since > ended for since, until in near)

    def wall(self, at: float) -> float:
        """The database's clock at a moment of ours, or a little less: never later than it was."""
        offsets = [clock.wall - clock.at for clock in self._clocks]
        return at + min(offsets, default=0.0)
