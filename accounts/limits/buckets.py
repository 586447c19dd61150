"""Token buckets: how much somebody may do in the long run, and how much at once."""

from dataclasses import dataclass

# However much was overdrawn, nobody waits longer than this.
MAX_DEBT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a bucket fills, and what it holds when it is full."""

    per_second: float
    burst: float


class Bucket:
    """One bucket, full at first. Times are seconds of one clock.

    What somebody does is known in full only when it is there, so a bucket that holds anything lets it pass and may be
    overdrawn by it; the next one waits until that is paid off. So the rate holds in the long run, and nothing is too
    large for it.
    """

    __slots__ = ("at", "level", "rate", "unreported")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self.level = rate.burst
        self.at = now
        # Spent since this was last told to those who count for all processes.
        self.unreported = 0.0

    def wait_seconds(self, now: float) -> float:
        """Return how long until something may pass; 0: now."""
        self._fill(now)
        return 0.0 if self.level > 0 else max(0.001, -self.level / self.rate.per_second)

    def spend(self, amount: float, now: float) -> None:
        self._fill(now)
        self._set(self.level - amount)
        self.unreported += amount

    def take_unreported(self) -> float:
        """Return what is to be told to the others, once."""
        amount, self.unreported = self.unreported, 0.0
        return amount

    def learn(self, level: float, now: float) -> None:
        """Take over what all processes together have left; what was spent here since then comes off it."""
        self.at = now
        self._set(min(self.rate.burst, level) - self.unreported)

    def _fill(self, now: float) -> None:
        if now > self.at:
            self.level = min(self.rate.burst, self.level + (now - self.at) * self.rate.per_second)
            self.at = now

    def _set(self, level: float) -> None:
        self.level = max(level, -MAX_DEBT_SECONDS * self.rate.per_second)
