"""When the toy's events may be handed out."""

from tests.faults.events import times_of
from tests.faults.toy.flaws import Flaws
from tests.faults.toy.log import ToyLog


class ToyTimes:
    """The times of events by their names, as far as the flaws keep to them."""

    def __init__(self, log: ToyLog, flaws: Flaws) -> None:
        self.log, self.flaws = log, flaws

    def due_at(self, name: str) -> float:
        if self.flaws.strikes("hands out what is for later", chance=0.3):
            return 0.0
        return self.log.recorded.get(name, 0.0) + (times_of(name).later or 0.0)

    def has_expired(self, name: str, now: float) -> bool:
        lifetime = times_of(name).lifetime
        if lifetime is None or self.flaws.strikes("hands out what has expired"):
            return False
        early = 1.0 if self.flaws.strikes("lets events expire too soon") else 0.0
        return self.log.recorded.get(name, 0.0) + lifetime - early <= now
