"""What the checker says: for each invariant how much was judged, and what broke it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.faults.checker.facts import Facts
from tests.faults.history import Request


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach, in words, and the ids of the requests that prove it."""

    words: str
    requests: tuple[int, ...] = ()


@dataclass(slots=True)
class Verdict:
    """`judged` counts what could have broken the invariant: a check that judged nothing has shown nothing."""

    judged: int = 0
    violations: list[Violation] = field(default_factory=list)

    def blame(self, words: str, *requests: Request | int | None) -> None:
        ids = (each.id if isinstance(each, Request) else each for each in requests if each is not None)
        self.violations.append(Violation(words, tuple(dict.fromkeys(ids))))

    def holds(self, is_kept: bool) -> bool:
        """Count one thing that could have broken the invariant; give back whether it did not."""
        self.judged += 1
        return is_kept


Check = Callable[[Facts], Verdict]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise by its name and words, and the function that holds a history to it."""

    name: str
    words: str
    check: Check


INVARIANTS: dict[str, Invariant] = {}
# Produce, order, read, commit, queue, dead letters, liveness.
_ORDER = "PORCQDL"


def invariant(name: str, words: str) -> Callable[[Check], Check]:
    """Enter a check under the invariant's name."""

    def enter(check: Check) -> Check:
        assert name not in INVARIANTS, name
        INVARIANTS[name] = Invariant(name, words, check)
        return check

    return enter


def judge_all(facts: Facts, names: Iterable[str] | None = None) -> dict[str, Verdict]:
    """Hold a history to every invariant, or to some."""
    chosen = sorted(INVARIANTS if names is None else names, key=lambda name: (_ORDER.index(name[0]), name))
    return {name: INVARIANTS[name].check(facts) for name in chosen}
