"""Q12: what is for later comes no earlier, what has expired comes no more, and ends by that only when it has."""

from tests.faults.checker.facts import Facts
from tests.faults.checker.lease_facts import Lease, leases_of
from tests.faults.checker.leases import ROUNDING_SECONDS
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.events import times_of

# A lease looks at the time when it begins, and has the rows a moment later.
_GRACE_SECONDS = 2.0


@invariant("Q12", "nothing is handed out before its time or after its expiry, and nothing expires before that")
def times_are_kept(facts: Facts) -> Verdict:
    """That what is for later comes in time, Q7 says; that nothing of either is lost, D1. A redrive knows no times."""
    verdict = Verdict()
    for lease in leases_of(facts).all:
        if lease.told["letter"] is None:
            _hold(facts, lease, verdict)
    for (group, partition, offset), rows in leases_of(facts).lapses.items():
        lane = facts.world.group(group).stream, partition
        lifetime = times_of(facts.logs[lane].at(offset) or "?").lifetime
        recorded_at = facts.recorded.get((lane, offset), float("inf"))
        for row in rows:
            has_expired = lifetime is not None and row.ended_at >= recorded_at + lifetime - ROUNDING_SECONDS
            if not verdict.holds(has_expired):
                verdict.blame(f"{group}: {partition}/{offset} ended at {row.ended_at:.3f} as expired, and had not")
    return verdict


def _hold(facts: Facts, lease: Lease, verdict: Verdict) -> None:
    lane = lease.request.stream, lease.told["partition"]
    is_prompt = facts.is_undisturbed(lease.request.begun, lease.request.ended)
    for offset, name in enumerate(lease.told["names"].split(), lease.told["first"]):
        times = times_of(name)
        age = lease.start - facts.recorded.get((lane, offset), lease.start)
        if times.later is not None and not verdict.holds(age >= times.later - ROUNDING_SECONDS):
            verdict.blame(f"{lease.group}: {lane[1]}/{offset} came {times.later - age:.3f} s early", lease.request)
        if times.lifetime is None or not is_prompt:
            continue
        if not verdict.holds(age <= times.lifetime + _GRACE_SECONDS):
            words = f"{lease.group}: {lane[1]}/{offset} came {age - times.lifetime:.1f} s after it had expired"
            verdict.blame(words, lease.request)
