"""What can be watched, and when it is too much. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from observability.models import What


class Scope(Enum):
    """Of what there is a number for each."""

    GROUP = "group"
    STREAM = "stream"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing to watch.

    Attributes:
        low, high: what its threshold may be.
        is_duration: whether number and threshold are seconds.
        from_below: whether less is worse.
    """

    scope: Scope
    low: int = 1
    high: int = 10**12
    is_duration: bool = False
    from_below: bool = False

    def is_reached(self, value: float | None, threshold: int) -> bool:
        """Whether a number has come as far as its threshold; there may be none, and then nothing is wrong."""
        if value is None:
            return False
        return value <= threshold if self.from_below else value >= threshold

    def severity(self, value: float) -> float:
        """The worse, the higher."""
        return -value if self.from_below else value


_YEAR = 366 * 86400

KINDS: Final[dict[str, Kind]] = {
    What.DEAD_LETTERS: Kind(Scope.GROUP),
    What.LAG: Kind(Scope.GROUP),
    What.LAG_SECONDS: Kind(Scope.GROUP, high=_YEAR, is_duration=True),
    What.SILENT_GROUP: Kind(Scope.GROUP, high=_YEAR, is_duration=True),
    What.RETENTION_RISK: Kind(Scope.GROUP, low=0, high=_YEAR, is_duration=True, from_below=True),
    What.LOST: Kind(Scope.GROUP),
    What.SILENT_PRODUCER: Kind(Scope.STREAM, high=_YEAR, is_duration=True),
    What.DISK: Kind(Scope.INSTALLATION, high=100),
    What.REJECTIONS: Kind(Scope.INSTALLATION),
    What.ENGINES: Kind(Scope.INSTALLATION, high=1_000),
}
