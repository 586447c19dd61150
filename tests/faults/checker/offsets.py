"""C: committed offsets are what was asked for, never go back, and let nothing pass by a group."""

from collections import defaultdict

from tests.faults.actors.auditor import AUDITOR
from tests.faults.checker.facts import Facts
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.history import Request

GroupLane = tuple[str, int]


def _readings(facts: Facts) -> dict[GroupLane, list[tuple[Request, int]]]:
    """Each time that somebody was told a committed offset, in order of when they asked."""
    groups = {group.name for group in facts.world.of_mode("offset")}
    found: dict[GroupLane, list[tuple[Request, int]]] = defaultdict(list)
    for request in sorted(facts.durable("offsets", "commit"), key=lambda each: each.begun):
        if request.group in groups:
            told = request.got["committed" if request.kind == "offsets" else "standing"]
            for number, offset in told.items():
                found[request.group, int(number)].append((request, offset))
    return found


def _first_reads(facts: Facts) -> dict[GroupLane, list[tuple[Request, int]]]:
    """Each time that a group was given events from where it stood: at most so far it stood."""
    found: dict[GroupLane, list[tuple[Request, int]]] = defaultdict(list)
    for request in sorted(facts.durable("poll"), key=lambda each: each.begun):
        if request.group:
            for partition, first, _ in request.got["runs"]:
                if str(partition) not in request.got["gaps"]:
                    found[request.group, partition].append((request, first - 1))
    return found


@invariant("C1", "the committed offset never exceeds what was committed by request")
def never_further(facts: Facts) -> Verdict:
    verdict = Verdict()
    asked: dict[GroupLane, list[tuple[float, int, Request]]] = defaultdict(list)
    for request in facts.by_kind["commit"]:
        if not request.sent.get("beyond"):
            for number, offset in request.sent["offsets"].items():
                asked[request.group, int(number)].append((request.begun, offset, request))
    told = _readings(facts)
    for lane, reads in _first_reads(facts).items():
        told[lane] += reads
    for lane, readings in told.items():
        commits = iter(sorted(asked[lane], key=lambda each: each[0]))
        upcoming = next(commits, None)
        highest = 0
        for request, offset in sorted(readings, key=lambda each: each[0].ended):
            while upcoming is not None and upcoming[0] <= request.ended:
                highest = max(highest, upcoming[1])
                upcoming = next(commits, None)
            if not verdict.holds(offset <= highest):
                verdict.blame(f"{lane} stands at {offset}, and nobody has committed more than {highest}", request)
    return verdict


@invariant("C2", "after an acknowledged commit c, every later read of it is ≥ c unless somebody sought")
def never_back(facts: Facts) -> Verdict:
    verdict = Verdict()
    told = _readings(facts)
    # A wait may have begun to read before the commit: what it gets tells of the moment at which it began.
    reads = _first_reads(facts)
    for lane, readings in told.items():
        over = iter(sorted(readings, key=lambda each: each[0].ended))
        upcoming = next(over, None)
        highest, witness = 0, None
        for request, offset in sorted(readings + reads.get(lane, []), key=lambda each: each[0].begun):
            while upcoming is not None and upcoming[0].ended < request.begun:
                if upcoming[1] > highest:
                    highest, witness = upcoming[1], upcoming[0]
                upcoming = next(over, None)
            if not verdict.holds(offset >= highest):
                verdict.blame(f"{lane}: {highest} had been committed, and then it stands at {offset}", witness, request)
    return verdict


@invariant("C3", "every event reaches the group at least once")
def all_reach_the_group(facts: Facts) -> Verdict:
    verdict = Verdict()
    reached: dict[GroupLane, list[tuple[int, int]]] = defaultdict(list)
    for request in facts.durable("poll"):
        if request.group:
            for partition, first, names in request.got["runs"]:
                reached[request.group, partition].append((first, first + len(names.split()) - 1))
            for number, (since, until) in request.got["gaps"].items():
                reached[request.group, int(number)].append((since, until))
    for request in facts.durable("offsets"):
        if request.actor != AUDITOR or facts.world.group(request.group).mode != "offset":
            continue
        for number, committed in request.got["committed"].items():
            covered = 0
            for first, last in sorted(reached[request.group, int(number)]):
                if first <= covered + 1:
                    covered = max(covered, last)
            if not verdict.holds(covered >= committed):
                verdict.blame(
                    f"{request.group}/{number}: committed {committed}, but nobody was ever given {covered + 1}", request
                )
            head = request.got["head"][number]
            if not verdict.holds(committed == head):
                verdict.blame(
                    f"{request.group}/{number}: stands at {committed} of {head} after everything has settled", request
                )
    return verdict


@invariant("C4", "a commit beyond the head is 422; groups never affect each other")
def nothing_beyond_the_head(facts: Facts) -> Verdict:
    """The second half is C1 and C2, which hold each group to its own commits alone."""
    verdict = Verdict()
    for request in facts.by_kind["commit"]:
        if request.sent.get("beyond"):
            is_refused = request.outcome != "durable" and request.status in (None, 422, 408, 429, 500, 502, 503, 504)
            if not verdict.holds(is_refused):
                verdict.blame(f"a commit beyond the head was answered {request.status}", request)
    return verdict
