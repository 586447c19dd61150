"""R: a read sees what was answered before it, the head never goes back, waits end when they should."""

from bisect import bisect_right
from collections import defaultdict

from tests.faults.checker.facts import Facts, Lane
from tests.faults.checker.order import starts_of
from tests.faults.checker.produce import ranges_told
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.history import Request

# What a wait may end early by, for clocks that tick.
_TICK_SECONDS = 0.05


def _answered_heads(facts: Facts) -> dict[Lane, list[tuple[float, int, Request]]]:
    """For each partition when an offset had been answered as stored, in order of time, ever higher offsets only."""
    raw: dict[Lane, list[tuple[float, int, Request]]] = defaultdict(list)
    for append in facts.appends.values():
        for request in append.told:
            for lane, _, last in ranges_told(request):
                raw[lane].append((request.ended, last, request))
    rising: dict[Lane, list[tuple[float, int, Request]]] = defaultdict(list)
    for lane, heads in raw.items():
        for each in sorted(heads, key=lambda each: each[0]):
            if not rising[lane] or each[1] > rising[lane][-1][1]:
                rising[lane].append(each)
    return rising


@invariant("R1", "a poll sent after the 202 sees the event")
def sees_what_was_answered(facts: Facts) -> Verdict:
    verdict = Verdict()
    heads = _answered_heads(facts)
    for request in facts.durable("poll"):
        for number, head in request.got["head"].items():
            known = heads[request.stream, int(number)]
            index = bisect_right(known, request.begun, key=lambda each: each[0])
            if index:
                _, offset, append = known[index - 1]
                if not verdict.holds(head >= offset):
                    verdict.blame(
                        f"{request.stream}/{number}: {offset} had been answered, and a poll says that the head is {head}",
                        append,
                        request,
                    )
    return verdict


@invariant("R2", "the head never goes back")
def head_rises(facts: Facts) -> Verdict:
    verdict = Verdict()
    seen: dict[Lane, list[Request]] = defaultdict(list)
    for request in facts.durable("poll", "offsets"):
        for number in request.got["head"]:
            seen[request.stream, int(number)].append(request)
    for (stream, number), requests in seen.items():
        over = iter(sorted(requests, key=lambda each: each.ended))
        upcoming = next(over, None)
        highest, witness = 0, None
        for request in sorted(requests, key=lambda each: each.begun):
            while upcoming is not None and upcoming.ended < request.begun:
                if upcoming.got["head"][str(number)] > highest:
                    highest, witness = upcoming.got["head"][str(number)], upcoming
                upcoming = next(over, None)
            head = request.got["head"][str(number)]
            if not verdict.holds(head >= highest):
                verdict.blame(f"{stream}/{number}: the head was {highest}, and then {head}", witness, request)
    return verdict


@invariant("R3", "a waiting poll answers within a second of the append and at its deadline otherwise")
def waits_end(facts: Facts) -> Verdict:
    verdict = Verdict()
    heads = _answered_heads(facts)
    patience = facts.world.patience_seconds
    for request in facts.durable("poll"):
        wait = request.sent["wait"]
        if not wait or not facts.is_undisturbed(request.begun, request.ended):
            continue
        lasted = request.ended - request.begun
        is_empty = not request.got["runs"] and not request.got["gaps"]
        is_early = is_empty and lasted < wait - _TICK_SECONDS
        if not verdict.holds(not is_early):
            verdict.blame(f"a wait of {request.sent['wait']} lasted ended after {lasted:.2f}", request)
        if not verdict.holds(lasted <= wait + patience):
            verdict.blame(f"a wait of {wait} s took {lasted:.1f} s", request)
        woken = _should_have_woken(request, heads)
        if woken is not None:
            late = request.ended - max(woken[0], request.begun)
            if not verdict.holds(late <= patience):
                verdict.blame(
                    f"a waiting poll was answered {late:.1f} s after offset {woken[1]} had been stored",
                    woken[2],
                    request,
                )
    return verdict


def _should_have_woken(
    request: Request, heads: dict[Lane, list[tuple[float, int, Request]]]
) -> tuple[float, int, Request] | None:
    """The first append that was answered and lies beyond where the poll began."""
    found = []
    for number, after in (starts_of(request) or {}).items():
        known = heads[request.stream, number]
        index = bisect_right(known, after, key=lambda each: each[1])
        if index < len(known):
            found.append(known[index])
    return min(found, key=lambda each: each[0], default=None)


@invariant("R4", "limit and max_bytes never drop an event, and at least one comes if there is one")
def limits_drop_nothing(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.durable("poll"):
        starts = starts_of(request)
        got = sum(len(names.split()) for _, _, names in request.got["runs"])
        if not verdict.holds(got <= request.sent["limit"]):
            verdict.blame(f"{got} events, limit {request.sent['limit']}", request)
        last = {partition: first + len(names.split()) - 1 for partition, first, names in request.got["runs"]}
        for number, reached in request.got["next"].items():
            gap = request.got["gaps"].get(number)
            # The last event returned, else the end of what retention took, else where the poll began.
            expected = last.get(int(number), gap[1] if gap else (starts or {}).get(int(number)))
            if not verdict.holds(expected in (None, reached)):
                verdict.blame(
                    f"{request.stream}/{number}: next is {reached}, but what came ends at {expected}", request
                )
        if starts is not None and not request.got["gaps"]:
            more = [n for n, head in request.got["head"].items() if head > starts[int(n)]]
            if not verdict.holds(bool(got) or not more):
                verdict.blame(f"nothing came, although partitions {more} have more", request)
    return verdict


@invariant("R5", "never a silent jump over retention: EventFlow-Gap")
def gaps_are_told(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.durable("poll"):
        may_trim = facts.world.stream(request.stream).max_events is not None
        starts = starts_of(request) or {}
        firsts: dict[int, int] = {}
        for partition, first, _ in request.got["runs"]:
            firsts.setdefault(partition, first)
        for number, (since, until) in request.got["gaps"].items():
            is_true = (
                may_trim
                and since == starts.get(int(number), since - 1) + 1
                and firsts.get(int(number), until + 1) == until + 1
            )
            if not verdict.holds(is_true and since <= until):
                verdict.blame(f"{request.stream}/{number}: a gap {since}-{until} is told that is none", request)
        for number, first in firsts.items():
            since = starts.get(number, first - 1) + 1
            is_told = first == since or str(number) in request.got["gaps"]
            if not verdict.holds(is_told):
                verdict.blame(f"{request.stream}/{number}: {since} to {first - 1} were jumped over in silence", request)
    return verdict
