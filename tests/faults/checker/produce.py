"""P: what was answered is in the log, what was refused is not, and nothing is there twice or in part."""

from tests.faults.checker.facts import Append, Facts, Lane
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.events import base_of, names_of
from tests.faults.history import Request

Place = tuple[Lane, int]


def places_told(request: Request) -> list[Place] | None:
    """Where an answer says that the events are, in request order; None where it tells ranges only."""
    if "places" not in request.got:
        return None
    return [((request.stream, partition), offset) for partition, offset in request.got["places"]]


def ranges_told(request: Request) -> list[tuple[Lane, int, int]]:
    """The ranges that an answer says that the events are in."""
    if "ranges" in request.got:
        return [((request.stream, number), first, last) for number, first, last in request.got["ranges"]]
    return [(lane, offset, offset) for lane, offset in places_told(request) or ()]


@invariant("P1", "every event answered 202 is in the log after any fault that keeps the disk")
def answered_is_there(facts: Facts) -> Verdict:
    verdict = Verdict()
    for append in facts.appends.values():
        answered = append.answered
        if answered is None:
            continue
        told = ranges_told(answered)
        is_gone = any(facts.may_be_gone(lane, first) for lane, first, _ in told)
        for name in append.names:
            is_there = name in facts.places or is_gone
            if not verdict.holds(is_there):
                verdict.blame(f"{name} was answered 202 at {told} and is nowhere", answered)
    return verdict


@invariant("P2", "nothing that was refused is ever returned anywhere")
def refused_is_nowhere(facts: Facts) -> Verdict:
    verdict = Verdict()
    for append in facts.appends.values():
        if append.is_refused:
            found = [name for name in append.names if name in facts.places]
            if not verdict.holds(not found):
                verdict.blame(f"refused, and yet stored: {found[0]} at {facts.places[found[0]]}", *append.attempts)
    return verdict


@invariant("P3", "what is returned is what was sent, for that stream and partition")
def returned_as_sent(facts: Facts) -> Verdict:
    verdict = Verdict()
    for sight in facts.sights():
        append = facts.appends.get(base_of(sight.name))
        is_ours = append is not None and append.stream == sight.lane[0] and append.has(sight.name)
        if not verdict.holds(is_ours):
            verdict.blame(
                f"nobody sent {sight.name} to {sight.lane[0]} as it came at {sight.lane}/{sight.offset}", sight.request
            )
    return verdict


@invariant("P4", "one request stores each event at most once; with an Idempotency-Key, any number of retries does")
def stored_once(facts: Facts) -> Verdict:
    verdict = Verdict()
    for append in facts.appends.values():
        for name in append.names:
            places = facts.places.get(name, ())
            if not verdict.holds(len(places) <= 1):
                verdict.blame(f"{name} is stored {len(places)} times: {sorted(places)}", *append.attempts)
    return verdict


@invariant("P5", "a batch is all or nothing, contiguous per partition, in request order")
def batches_whole(facts: Facts) -> Verdict:
    verdict = Verdict()
    for append in facts.appends.values():
        if len(append.names) > 1:
            fault = _torn(facts, append)
            if not verdict.holds(not fault):
                verdict.blame(f"{append.base} ({len(append.names)} events) {fault}", *append.attempts)
    return verdict


def _torn(facts: Facts, append: Append) -> str:
    found = [(name, min(facts.places[name])) for name in append.names if name in facts.places]
    if not found:
        return ""
    missing = len(append.names) - len(found)
    lanes: dict[Lane, list[int]] = {}
    for _, (lane, offset) in found:
        lanes.setdefault(lane, []).append(offset)
    # Retention takes from the front: what is missing of a batch may have gone, if nothing kept lies before the rest.
    if missing and not any(
        offsets[0] > 1 and facts.may_be_gone(lane, offsets[0] - 1) for lane, offsets in lanes.items()
    ):
        return f"is stored in part: {missing} of its events are missing"
    for lane, offsets in lanes.items():
        if offsets != list(range(offsets[0], offsets[0] + len(offsets))):
            return f"is torn apart in {lane}: {offsets}"
    return ""


@invariant("P6", "the offset in the 202 is where the event is read")
def told_where_it_is(facts: Facts) -> Verdict:
    verdict = Verdict()
    for append in facts.appends.values():
        for request in append.told:
            told = places_told(request)
            if told is None:
                _check_ranges(facts, append, request, verdict)
                continue
            for name, (lane, offset) in zip(append.names, told, strict=True):
                seen = facts.places.get(name, set())
                is_there = (lane, offset) in seen or (not seen and facts.may_be_gone(lane, offset))
                if not verdict.holds(is_there):
                    verdict.blame(f"{name} was said to be at {lane}/{offset} and is at {sorted(seen)}", request)
    return verdict


def _check_ranges(facts: Facts, append: Append, request: Request, verdict: Verdict) -> None:
    told = {(lane, offset) for lane, first, last in ranges_told(request) for offset in range(first, last + 1)}
    found = {place for name in append.names for place in facts.places.get(name, ())}
    kept = {place for place in told if place in found or not facts.may_be_gone(*place)}
    if not verdict.holds(found == kept and len(told) == len(append.names)):
        verdict.blame(f"{append.base} was said to be at {sorted(told)} and is at {sorted(found)}", request)


@invariant("P7", "limits are decided before anything is stored, and before the body is read where Content-Length tells")
def limits_refuse(facts: Facts) -> Verdict:
    verdict = Verdict()
    for request in facts.by_kind["append"]:
        flaw = request.sent.get("flaw")
        if flaw in ("too many", "too long"):
            found = [name for name in names_of(request.sent["base"], request.sent["count"]) if name in facts.places]
            is_kept = request.outcome != "durable" and not found
            if not verdict.holds(is_kept):
                verdict.blame(f"{request.sent['flaw']} was answered {request.status}", request)
    return verdict
