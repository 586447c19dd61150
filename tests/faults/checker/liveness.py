"""L: what was broken comes back by itself, what does not need it goes on, and a stop finishes what it accepted."""

from collections import defaultdict

from tests.faults.checker.facts import Facts
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.history import Fault, Request

# What is on its way at the moment of a fault may still be answered as before.
_EDGE_SECONDS = 1.0
# Each attempt of these must not fail while only Valkey is away; fewer than so many tell nothing.
_HOT = ("append", "poll", "ack", "commit")
_ALLOWED_WITHOUT_POSTGRES = {"healthz": (200,), "readyz": (503,), **dict.fromkeys(_HOT, (503, 429))}
_ENOUGH = 3


@invariant("L1", "after the last fault the first append succeeds within 5 s")
def comes_back(facts: Facts) -> Verdict:
    """Judged after each fault that none followed meanwhile; the 5 s are stretched by how long loading takes here."""
    verdict = Verdict()
    allowed = facts.world.back_seconds
    stored = sorted(facts.durable("append"), key=lambda each: each.ended)
    over = facts.mark("drain") or float("inf")
    for fault, following in zip(facts.faults, [*facts.faults[1:], None], strict=True):
        until = min(following.begun if following else over, over)
        first = next((each for each in stored if each.begun >= fault.ended and each.ended <= until), None)
        late = (first.ended if first else until) - fault.ended
        if first is None and late <= allowed:
            continue
        if not verdict.holds(late <= allowed):
            verdict.blame(f"{late:.1f} s after {fault.kind} at {fault.begun:.1f} nothing had been stored yet", first)
    return verdict


@invariant("L2", "PostgreSQL down: 503, /healthz 200, /readyz 503. Valkey down: append, poll, ack, commit go on")
def half_a_service(facts: Facts) -> Verdict:
    verdict = Verdict()
    for fault in facts.faults:
        if fault.kind == "network_down":
            _without_postgres(facts, fault, verdict)
        if fault.kind.startswith("valkey_") and _is_alone(facts, fault):
            _without_valkey(facts, fault, verdict)
    return verdict


def _within(facts: Facts, fault: Fault) -> list[Request]:
    since = fault.begun + _EDGE_SECONDS
    return [each for each in facts.requests if since <= each.begun and each.ended <= fault.ended]


def _without_postgres(facts: Facts, fault: Fault, verdict: Verdict) -> None:
    if any(other is not fault and other.begun < fault.ended and other.ended > fault.begun for other in facts.faults):
        return
    for request in _within(facts, fault):
        allowed = _ALLOWED_WITHOUT_POSTGRES.get(request.kind)
        if allowed is None or request.status is None or request.sent.get("flaw"):
            continue
        if not verdict.holds(request.status in allowed):
            verdict.blame(f"without PostgreSQL {request.kind} was answered {request.status}", request)


def _is_alone(facts: Facts, fault: Fault) -> bool:
    """Whether nothing else was broken meanwhile, or not back yet."""
    others = [each for each in facts.faults if each is not fault]
    return all(
        max(each.ended, each.back or each.ended) + _EDGE_SECONDS < fault.begun or each.begun > fault.ended
        for each in others
    )


def _without_valkey(facts: Facts, fault: Fault, verdict: Verdict) -> None:
    by_kind: dict[str, list[Request]] = defaultdict(list)
    for request in _within(facts, fault):
        if request.kind in _HOT and not request.vanished and not request.sent.get("flaw"):
            by_kind[request.kind].append(request)
    for kind, requests in by_kind.items():
        if len(requests) < _ENOUGH:
            continue
        if not verdict.holds(any(each.outcome == "durable" for each in requests)):
            verdict.blame(f"without Valkey none of {len(requests)} requests to {kind} succeeded", *requests)


@invariant("L3", "no answer is a page, and none says that something broke on our side (500)")
def answers_are_problems(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.requests:
        if request.status is None:
            continue
        if not verdict.holds(request.status != 500 and "page" not in request.got):
            verdict.blame(f"{request.kind} was answered {request.status} {request.got.get('page', '')}", request)
    return verdict


@invariant("L4", "shutdown finishes what it accepted, within 10 s")
def stops_in_order(facts: Facts) -> Verdict:
    """The 10 s are stretched by how long loading takes here."""
    verdict = Verdict()
    begun, ended = facts.mark("stopping"), facts.mark("stopped")
    if begun is None or ended is None:
        return verdict
    if not verdict.holds(ended - begun <= 10 + facts.world.load_seconds):
        verdict.blame(f"stopping took {ended - begun:.1f} s")
    note = next(mark.note for mark in facts.marks if mark.name == "stopped")
    if not verdict.holds(note in ("", "exit code 0")):
        verdict.blame(f"stopping ended with {note}")
    for request in facts.requests:
        # What was sent a moment before may not have been accepted yet.
        if request.begun > begun - _EDGE_SECONDS or request.ended < begun or request.vanished:
            continue
        if not verdict.holds(request.status is not None):
            verdict.blame(
                f"{request.kind} had been under way for {begun - request.begun:.1f} s and was cut off", request
            )
    return verdict
