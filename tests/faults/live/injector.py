"""The injector: breaks one thing after the other, in an order that the seed decides, and looks until it is back."""

import random
import time
from collections.abc import Callable, Iterator

from tests.faults.history import Clock, Fault, Keeper
from tests.faults.kinds import FAULTS
from tests.faults.live.breaking import Breaking
from tests.faults.live.troupe import Troupe

# A fault that is not over after so long is left to the checker (L1).
_BACK_SECONDS = 120.0
# Now and then the next one strikes before the last is over.
_DOUBLES = 0.2


def deck_of(dice: random.Random) -> Iterator[str]:
    """Draw kinds for ever: each once before any comes again, so that no run is without one."""
    while True:
        yield from dice.sample(sorted(FAULTS), len(FAULTS))


class Injector:
    def __init__(self, breaking: Breaking, keeper: Keeper, troupe: Troupe, dice: random.Random) -> None:
        self._breaking, self._keeper, self._troupe, self._dice = breaking, keeper, troupe, dice
        self._broken_commits: list[Fault] = []

    def struck(self, kind: str, at: float) -> None:
        """The network has broken a commit; told from another thread."""
        self._broken_commits.append(Fault(kind, "network", at, at))

    def storm(self, seconds: float, is_enough: Callable[[], bool]) -> None:
        """Break things for so long, and at most as long again if that was not enough."""
        begun = time.monotonic()
        deck = deck_of(self._dice)
        while True:
            gone = time.monotonic() - begun
            if gone > 2 * seconds or (gone > seconds and is_enough()):
                return
            self._strike(next(deck), looks=self._dice.random() > _DOUBLES)
            self._keeper.add(Clock(time.monotonic(), time.time()))
            time.sleep(self._dice.uniform(0.2, 1.5))

    def _strike(self, kind: str, *, looks: bool) -> None:
        begun = time.monotonic()
        target = self._breaking.deeds[kind]()
        ended = time.monotonic()
        if kind.startswith("commit_"):
            fault = self._await_broken_commit()
        else:
            fault = Fault(kind, target, begun, ended) if target else None
        if fault is None:
            return
        if looks:
            fault.back = self._when_back(fault)
        self._keeper.add(fault)

    def _await_broken_commit(self) -> Fault | None:
        deadline = time.monotonic() + 7
        while not self._broken_commits:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        return self._broken_commits.pop(0)

    def _when_back(self, fault: Fault) -> float | None:
        """Wait for an append that was sent after the fault and is stored; return when that was seen."""
        deadline = fault.ended + _BACK_SECONDS
        while self._troupe.last_stored_sent_at < fault.ended:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)
        return time.monotonic()
