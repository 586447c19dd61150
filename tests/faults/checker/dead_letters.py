"""D: what a group gave up on is a dead letter, once, for a reason, and stays one until somebody deals with it."""

from collections import defaultdict
from typing import Any

from tests.faults.actors.auditor import AUDITOR
from tests.faults.checker.facts import Facts
from tests.faults.checker.lease_facts import Held, leases_of
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.history import Request

_REASONS = {"max_failures", "delivery_cap", "terminal", "reported"}
_MOVERS = ("web_", "celery_", "postgres_", "backend_", "connections_", "commit", "network_")

Letters = dict[Held, list[tuple[dict[str, Any], Request]]]


def _letters_by_event(facts: Facts) -> Letters:
    found: Letters = defaultdict(list)
    for letter, request in facts.letters.values():
        found[letter["group"], letter["partition"], letter["offset"]].append((letter, request))
    return found


@invariant(
    "D1", "after things settle, each (group, event) is acked, dead-lettered or expired, never two of these, never none"
)
def acked_or_dead(facts: Facts) -> Verdict:
    verdict = Verdict()
    letters = _letters_by_event(facts)
    _nothing_is_left(facts, verdict)
    for group in facts.world.of_mode("lease"):
        for number in range(facts.world.stream(group.stream).partitions):
            log = facts.logs[group.stream, number]
            for offset in range(1, log.head + 1):
                if group.is_given(log.at(offset) or "?"):
                    _one_or_the_other(facts, (group.name, number, offset), letters, verdict)
    for letter, request in facts.letters.values():
        _redrives_ended(letter, letters, request, verdict)
    return verdict


def _nothing_is_left(facts: Facts, verdict: Verdict) -> None:
    for request in facts.durable("offsets", "deliveries"):
        if request.actor != AUDITOR:
            continue
        if request.kind == "deliveries":
            if not verdict.holds(request.got["count"] == 0):
                verdict.blame(f"{request.group} has deliveries left after everything has settled", request)
        elif facts.world.group(request.group).mode == "lease":
            for number, head in request.got["head"].items():
                standing = request.got["committed"][number]
                if not verdict.holds(standing == head):
                    verdict.blame(
                        f"{request.group}/{number} stands at {standing} of {head} after everything has settled", request
                    )


def _one_or_the_other(facts: Facts, event: Held, letters: Letters, verdict: Verdict) -> None:
    acks = leases_of(facts).acks.get(event, [])
    dead = letters.get(event, [])
    lapses = leases_of(facts).lapses.get(event, [])
    if not verdict.holds(bool(acks or dead or lapses)):
        verdict.blame(f"{event} was neither acked nor became a dead letter, nor has it expired")
    known = {lease.told["round"]: say.request for lease, say in acks if say.result == "acked"}
    for row in lapses:
        died = next((request for letter, request in dead if letter["round"] == row.round), None)
        if not verdict.holds(row.round not in known and died is None):
            verdict.blame(f"{event} has expired and was acked or dead all the same", known.get(row.round), died)
    for letter, request in dead:
        is_one = letter["round"] not in known
        if not verdict.holds(is_one):
            verdict.blame(
                f"{event} was acked and became dead letter {letter['id']} all the same",
                known.get(letter["round"]),
                request,
            )


def _redrives_ended(letter: dict[str, Any], letters: Letters, request: Request, verdict: Verdict) -> None:
    others = [each for each, _ in letters[letter["group"], letter["partition"], letter["offset"]]]
    for redrive in letter["redrives"]:
        is_dead_again = any(each["round"] == redrive["round"] for each in others)
        is_ended = {
            "acked": letter["status"] == "resolved" and not is_dead_again,
            "dead_again": is_dead_again,
        }.get(redrive["outcome"], False)
        if not verdict.holds(is_ended):
            verdict.blame(
                f"the redrive of dead letter {letter['id']} is {redrive['outcome']}, the letter {letter['status']}",
                request,
            )


@invariant("D2", "exactly one entry per (group, event, round), with the event, reason, counts and errors")
def once_and_whole(facts: Facts) -> Verdict:
    verdict = Verdict()
    for event, dead in _letters_by_event(facts).items():
        rounds: dict[int, Request] = {}
        for letter, request in dead:
            same = rounds.setdefault(letter["round"], request)
            if not verdict.holds(same is request):
                verdict.blame(f"{event} has two dead letters of round {letter['round']}", same, request)
            log = facts.logs[letter["stream"], letter["partition"]]
            told = log.at(letter["offset"])
            # A redrive may have been sent another payload; that is what died again.
            name = (letter["name"] or "").removesuffix("!")
            is_whole = bool(name) and (name == told or (told is None and name in facts.places))
            if not verdict.holds(is_whole):
                verdict.blame(f"dead letter {letter['id']} has {letter['name']}, the log has {told}", request)
            is_counted = letter["reason"] == "reported" or (letter["count"] >= 1 and letter["attempts"] >= 1)
            if not verdict.holds(is_counted and letter["reason"] in _REASONS):
                verdict.blame(
                    f"dead letter {letter['id']}: {letter['reason']}, {letter['count']} deliveries, {letter['attempts']} attempts",
                    request,
                )
    return verdict


@invariant("D3", "not before the attempts are used up, or `terminal`")
def not_too_early(facts: Facts) -> Verdict:
    verdict = Verdict()
    reported = {
        (each.group, each.sent["partition"], each.sent["offset"])
        for each in facts.by_kind["report"]
        if each.outcome in ("durable", "unknown")
    }
    for letter, request in facts.letters.values():
        event = (letter["group"], letter["partition"], letter["offset"])
        if not verdict.holds(_is_due(facts, letter, event, is_reported=event in reported)):
            words = f"{event}: {letter['reason']} after {letter['failures']} failures and {letter['count']} deliveries"
            verdict.blame(words, request)
    return verdict


def _is_due(facts: Facts, letter: dict[str, Any], event: Held, *, is_reported: bool) -> bool:
    plan = facts.world.group(letter["group"])
    match letter["reason"]:
        case "max_failures":
            return bool(letter["failures"] >= plan.max_failures)
        case "delivery_cap":
            return bool(letter["count"] >= plan.max_deliveries)
        case "terminal":
            return _was_said_terminal(facts, event)
    return is_reported


def _was_said_terminal(facts: Facts, event: Held) -> bool:
    for lease in leases_of(facts).of_event.get(event, ()):
        for say in lease.says:
            if say.may_have("nack") and say.request.sent.get("terminal"):
                return True
            if say.may_have("ack") and say.failed.get(event[2], (None, False))[1]:
                return True
    return False


@invariant("D4", "redrive and discard are idempotent (a double click is one)")
def a_double_click_is_one(facts: Facts) -> Verdict:
    verdict = Verdict()
    clicks: dict[int, list[Request]] = defaultdict(list)
    for request in [*facts.by_kind["redrive"], *facts.by_kind["discard"]]:
        clicks[request.sent["letter"]].append(request)
    for number, requests in clicks.items():
        done = {each.sent.get("key", each.id): each for each in requests if each.outcome == "durable"}
        if not verdict.holds(len(done) <= 1):
            verdict.blame(f"dead letter {number} was dealt with {len(done)} times", *done.values())
        if number in facts.letters:
            letter, seen = facts.letters[number]
            if not verdict.holds(_follows(letter, requests, list(done.values()))):
                verdict.blame(
                    f"dead letter {number} is {letter['status']} with {len(letter['redrives'])} redrives",
                    *requests,
                    seen,
                )
    return verdict


def _follows(letter: dict[str, Any], requests: list[Request], done: list[Request]) -> bool:
    """Whether the letter stands as the answers say."""
    states = {"redrive": {"redriven", "resolved"}, "discard": {"discarded"}}
    possible = done or [each for each in requests if each.outcome == "unknown"]
    allowed = {state for each in possible for state in states[each.kind]} | (set() if done else {"open"})
    is_once = len(letter["redrives"]) == (1 if letter["status"] in states["redrive"] else 0)
    return letter["status"] in allowed and is_once


@invariant("D5", "retention of the stream leaves dead letters alone")
def retention_passes_by(facts: Facts) -> Verdict:
    verdict = Verdict()
    told: dict[int, Request] = {}
    for request in facts.durable("letters", "report"):
        ids = [each["id"] for each in request.got["letters"]] if request.kind == "letters" else [request.got["letter"]]
        for number in ids:
            told.setdefault(number, request)
    for number, request in told.items():
        letter, _ = facts.letters.get(number, (None, None))
        is_kept = letter is not None and bool(letter["name"])
        if not verdict.holds(is_kept):
            verdict.blame(f"dead letter {number} was there and is gone, or its event is", request)
    return verdict


@invariant("D6", "`kill -9` of the mover between any two lines changes none of this")
def movers_may_be_killed(facts: Facts) -> Verdict:
    """Judged are the times that a process or a connection was killed that may have been moving: D1 to D3 must hold."""
    killed = [fault for fault in facts.faults if fault.kind.startswith(_MOVERS) and not fault.kind.endswith("paused")]
    verdict = Verdict(judged=len(killed))
    for name, check in (("D1", acked_or_dead), ("D2", once_and_whole), ("D3", not_too_early)):
        for violation in check(facts).violations:
            verdict.blame(f"{name}: {violation.words}", *violation.requests)
    return verdict
