"""O: offsets are 1, 2, 3 … without a hole, in the order of what happened, and what stands there never changes."""

from collections.abc import Iterator

from tests.faults.checker.facts import Append, Facts, Lane
from tests.faults.checker.produce import ranges_told
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.events import key_of
from tests.faults.history import Request


def starts_of(request: Request) -> dict[int, int] | None:
    """After which offset a poll read each partition; None where only the group knows."""
    after = request.sent["after"]
    return None if after == "committed" else {int(number): offset for number, offset in after.items()}


@invariant("O1", "offsets of a partition are 1, 2, 3 … with no hole at every moment a reader looks")
def no_holes(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.durable("poll"):
        starts = starts_of(request) or {}
        reached: dict[int, int] = dict(starts)
        for number, (since, until) in request.got["gaps"].items():
            if reached.get(int(number), since - 1) == since - 1:
                reached[int(number)] = until
        for partition, first, names in request.got["runs"]:
            expected = reached.get(partition, first - 1) + 1
            if not verdict.holds(first == expected):
                verdict.blame(f"{request.stream}/{partition}: after {expected - 1} came {first}", request)
            reached[partition] = first + len(names.split()) - 1
    for lane, log in facts.logs.items():
        whole = log.head == log.earliest - 1 + len(log.names)
        if not verdict.holds(whole):
            verdict.blame(f"{lane} ends at {log.head} and has {len(log.names)} events")
    return verdict


@invariant("O2", "(partition, offset) → event never changes")
def nothing_moves(facts: Facts) -> Verdict:
    verdict = Verdict()
    first_seen: dict[tuple[Lane, int], tuple[str, Request]] = {}
    for sight in facts.sights():
        name, before = first_seen.setdefault((sight.lane, sight.offset), (sight.name, sight.request))
        if not verdict.holds(name == sight.name):
            verdict.blame(f"{sight.lane}/{sight.offset} was {name} and is {sight.name}", before, sight.request)
    return verdict


def _ranges(facts: Facts, append: Append) -> Iterator[tuple[Lane, int, int]]:
    """Where an append is, by its answer or else by what was seen of it."""
    answered = append.answered
    if answered is not None:
        for lane, first, last in ranges_told(answered):
            yield lane, first, last
        return
    for name in append.names:
        for lane, offset in facts.places.get(name, ()):
            yield lane, offset, offset


@invariant("O3", "if append A was answered before append B was sent, A's offset is lower")
def in_order(facts: Facts) -> Verdict:
    verdict = Verdict()
    answered: dict[Lane, list[tuple[float, int, Request]]] = {}
    sent: dict[Lane, list[tuple[float, int, Append]]] = {}
    for append in facts.appends.values():
        for lane, first, last in _ranges(facts, append):
            if append.answered is not None:
                answered.setdefault(lane, []).append((append.answered.ended, last, append.answered))
            sent.setdefault(lane, []).append((append.begun, first, append))
    for lane, appends in sent.items():
        before = iter(sorted(answered.get(lane, ()), key=lambda each: each[0]))
        upcoming = next(before, None)
        highest, witness = 0, None
        for begun, first, append in sorted(appends, key=lambda each: each[0]):
            while upcoming is not None and upcoming[0] < begun:
                if upcoming[1] > highest:
                    highest, witness = upcoming[1], upcoming[2]
                upcoming = next(before, None)
            if not verdict.holds(first > highest):
                verdict.blame(
                    f"{lane}: {append.base} got {first}, although {highest} had been answered before it was sent",
                    witness,
                    *append.attempts,
                )
    return verdict


@invariant(
    "O4", "a poll after offset a returns exactly a+1 … a+k: nothing appears later inside a range already returned"
)
def ranges_stay(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.durable("poll"):
        starts = starts_of(request)
        for number, after in (starts or {}).items():
            log = facts.logs[request.stream, number]
            if after + 1 < log.earliest or str(number) in request.got["gaps"]:
                continue
            runs = [run for run in request.got["runs"] if run[0] == number]
            got = [name for _, _, names in runs for name in names.split()]
            index = after + 1 - log.earliest
            if not verdict.holds(got == log.names[index : index + len(got)]):
                verdict.blame(
                    f"{request.stream}/{number}: after {after} a poll returned something else than the log has now",
                    request,
                )
    return verdict


@invariant("O5", "the same key always lands in the same partition")
def keys_stay(facts: Facts) -> Verdict:
    verdict = Verdict()
    homes: dict[tuple[str, str], tuple[int, str, Request]] = {}
    for sight in facts.sights():
        key = key_of(sight.name)
        if key is not None and not sight.name.startswith("?"):
            stream, number = sight.lane
            home, other, before = homes.setdefault((stream, key), (number, sight.name, sight.request))
            if not verdict.holds(home == number):
                verdict.blame(
                    f"{key}: {other} is in partition {home}, {sight.name} in {sight.lane[1]}", before, sight.request
                )
    return verdict
