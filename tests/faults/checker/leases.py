"""Q: a lease is one client's alone, ends once, and what was not finished comes again, not too early and not too late."""

from collections import defaultdict
from itertools import pairwise

from tests.faults.checker.facts import Facts
from tests.faults.checker.lease_facts import ENDING, Lease, LeaseFacts, Say, leases_of
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.events import times_of
from tests.faults.history import Request

# Microseconds are rounded on their way through JSON.
ROUNDING_SECONDS = 0.002
# A client's clock and the database's are the same machine's, read at different moments.
_CLOCKS_SECONDS = 0.25


def ends_before(lease: Lease, other: Lease) -> bool:
    """Whether something that its client sent may have ended a lease before another one was handed out."""
    return any(
        say.request.begun <= other.request.ended and any(say.may_have(verb) for verb in ENDING) for say in lease.says
    )


@invariant("Q1", "at most one unexpired lease per (group, event), by the database's clock")
def one_at_a_time(facts: Facts) -> Verdict:
    verdict = Verdict()
    for event, leases in leases_of(facts).of_event.items():
        for before, after in pairwise(leases):
            is_over = before.until <= after.start + ROUNDING_SECONDS or ends_before(before, after)
            if not verdict.holds(is_over):
                verdict.blame(
                    f"{event} was leased until {before.until:.3f} and again at {after.start:.3f}",
                    before.request,
                    after.request,
                )
    return verdict


def _known_end(says: list[Say], say: Say) -> Say | None:
    """What had certainly ended the lease before a request was sent."""
    return next(
        (each for each in says if each.request.ended < say.request.begun and each.result in ENDING.values()), None
    )


@invariant("Q2", "a stale token: 409 and no effect; acking the same token twice is harmless")
def stale_is_stale(facts: Facts) -> Verdict:
    verdict = Verdict()
    facts_of_leases = leases_of(facts)
    for lease in facts_of_leases.all:
        for say in lease.says:
            word = {**ENDING, "extend": "extended"}[say.request.kind]
            ended = _known_end(lease.says, say)
            if ended is not None and say.result is not None:
                # The same verb again is told the same, any other that the lease is lost.
                expected = word if ended.request.kind == say.request.kind else "lease_lost"
                is_busy = say.result == "refused"
                if not verdict.holds(is_busy or say.result == expected):
                    verdict.blame(
                        f"a lease that was {ended.result} was then {say.result} by {say.request.kind}",
                        ended.request,
                        say.request,
                    )
            elif say.result == word and not say.is_repeated:
                newer = _newer(facts_of_leases, lease, say)
                if not verdict.holds(newer is None):
                    verdict.blame(
                        f"a lease that had gone to another client was {say.result}", lease.request, newer, say.request
                    )
    return verdict


def _newer(found: LeaseFacts, lease: Lease, say: Say) -> Request | None:
    """A lease of one of the events that somebody else had in hand before this one's token was used."""
    for event in lease.events():
        for other in found.of_event[event]:
            if other.start > lease.start and other.request.ended < say.request.begun:
                return other.request
    return None


@invariant("Q3", "acked is final")
def acked_stays_acked(facts: Facts) -> Verdict:
    verdict = Verdict()
    found = leases_of(facts)
    for event, acks in found.acks.items():
        known = [say for _, say in acks if say.result == "acked"]
        if not known:
            continue
        first = min(known, key=lambda say: say.request.ended)
        again = next((each for each in found.of_event[event] if each.request.begun > first.request.ended), None)
        if not verdict.holds(again is None):
            verdict.blame(f"{event} was acked and came again", first.request, again.request if again else None)
    return verdict


@invariant("Q4", "delivery_count counts leases, strictly rising, bounded")
def counts_rise(facts: Facts) -> Verdict:
    verdict = Verdict()
    for event, leases in leases_of(facts).of_event.items():
        by_round: dict[int, list[Lease]] = defaultdict(list)
        for lease in leases:
            by_round[lease.told["round"]].append(lease)
        for same_round in by_round.values():
            for lease in same_round:
                count, most = lease.told["count"], lease.plan.max_deliveries
                if not verdict.holds(1 <= count <= most):
                    verdict.blame(f"{event} was delivered for the {count}th time of {most}", lease.request)
            for before, after in pairwise(same_round):
                is_more = after.told["count"] > before.told["count"]
                if not verdict.holds(is_more):
                    verdict.blame(
                        f"{event} was delivered for the {before.told['count']}th time and then the {after.told['count']}th",
                        before.request,
                        after.request,
                    )
    return verdict


@invariant("Q5", "no redelivery before the backoff; no expiry before the ack wait")
def not_too_early(facts: Facts) -> Verdict:
    verdict = Verdict()
    for event, leases in leases_of(facts).of_event.items():
        for before, after in pairwise(leases):
            if before.told["round"] != after.told["round"]:
                continue
            earliest = _earliest_again(facts, before, after, event[2])
            early = earliest - after.start
            if not verdict.holds(early <= 0):
                verdict.blame(
                    f"{event} came again {early:.2f} s before its time",
                    before.request,
                    *(s.request for s in before.says),
                    after.request,
                )
    return verdict


def _earliest_again(facts: Facts, before: Lease, after: Lease, offset: int) -> float:
    """The soonest that an event may have been due again after a lease, by all that may have ended that lease."""
    backoff = before.plan.backoff_seconds(after.told["failures"])
    candidates = [before.until + backoff - ROUNDING_SECONDS]
    for say in before.says:
        if say.request.begun > after.request.ended:
            continue
        sent = facts.wall(say.request.begun) - _CLOCKS_SECONDS
        if say.may_have("release"):
            candidates.append(sent)
        elif say.may_have("nack"):
            delay = say.request.sent.get("delay")
            candidates.append(sent + (backoff if delay is None else delay))
        elif say.may_have("ack") and offset in say.failed:
            delay = say.failed[offset][0]
            candidates.append(sent + (backoff if delay is None else delay))
    return min(candidates)


@invariant("Q6", "a lease whose response was lost comes back after the ack wait")
def lost_answers_come_again(facts: Facts) -> Verdict:
    """The server's own record tells which leases nobody was ever given; the row says that they expired."""
    verdict = Verdict()
    found = leases_of(facts)
    known = {(each.group, each.request.sent["consumer"], round(each.start, 2)) for each in found.all}
    letters = {(each["group"], each["partition"], each["offset"]) for each, _ in facts.letters.values()}
    ends = defaultdict(list)
    for row in facts.rows:
        for offset in range(row.first, row.last + 1):
            ends[row.group, row.partition, offset].append(row)
    for row in facts.rows:
        if row.outcome != "expired" or row.leased_at is None:
            continue
        if any((row.group, row.consumer, round(row.leased_at + step, 2)) in known for step in (-0.01, 0, 0.01)):
            continue
        for offset in range(row.first, row.last + 1):
            event = (row.group, row.partition, offset)
            again = [each for each in found.of_event.get(event, ()) if each.start >= row.ended_at - ROUNDING_SECONDS]
            later = [each for each in ends[event] if each.ended_at > row.ended_at]
            has_expired = any(each.ended_at >= row.ended_at for each in found.lapses.get(event, ()))
            if not verdict.holds(bool(again or later) or has_expired or event in letters):
                verdict.blame(f"{event}: the answer to a lease was lost, and it never came again")
    return verdict


@invariant("Q7", "nothing starves: with consumers polling, each ready event is delivered within ack wait + 2 s")
def nothing_starves(facts: Facts) -> Verdict:
    """Judged while nothing breaks and consumers wait for what comes; the 2 s are stretched by the machine's slowness.

    In strict order an event is not ready while one before it is tried again, so those groups are not judged.
    """
    verdict = Verdict()
    if facts.calm is None:
        return verdict
    begun, ended = facts.calm
    found = leases_of(facts)
    for append in facts.appends.values():
        answered = append.answered
        if answered is None or "places" not in answered.got or answered.begun < begun:
            continue
        for group in facts.world.of_mode("lease"):
            if group.stream != append.stream or group.ordering != "none":
                continue
            for partition, offset in answered.got["places"]:
                name = facts.logs[group.stream, partition].at(offset) or "?"
                times = times_of(name)
                # What expires may have done so; what is for later is ready when it is due.
                allowed = group.ack_wait + facts.world.patience_seconds + (times.later or 0.0)
                if times.lifetime is not None or not group.is_given(name) or answered.ended + allowed > ended:
                    continue
                leases = found.of_event.get((group.name, partition, offset), ())
                came = min((each.request.ended for each in leases), default=None)
                is_in_time = came is not None and came - answered.ended <= allowed
                if not verdict.holds(is_in_time):
                    verdict.blame(
                        f"{group.name}: {partition}/{offset} came {'never' if came is None else f'{came - answered.ended:.1f} s late'}",
                        answered,
                    )
    return verdict


@invariant("Q8", "a group with a filter is given what that lets through, and nothing else")
def filters_are_kept(facts: Facts) -> Verdict:
    """That nothing of what it is to be given is left out, D1 says."""
    verdict = Verdict()
    for lease in leases_of(facts).all:
        names = lease.told["names"].split()
        for name in names if lease.plan.types else ():
            if not verdict.holds(lease.plan.is_given(name.rstrip("!"))):
                verdict.blame(f"{lease.group} was given {name}, which its filter does not let through", lease.request)
    return verdict
