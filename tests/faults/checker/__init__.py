"""The checker: pure functions over a history, one for each invariant, which return what breaks it."""

from tests.faults.checker import dead_letters, keys, leases, liveness, offsets, order, produce, reading, times
from tests.faults.checker.facts import Facts
from tests.faults.checker.verdicts import INVARIANTS, Verdict, Violation, judge_all

__all__ = [
    "INVARIANTS",
    "Facts",
    "Verdict",
    "Violation",
    "dead_letters",
    "judge_all",
    "keys",
    "leases",
    "liveness",
    "offsets",
    "order",
    "produce",
    "reading",
    "times",
]
