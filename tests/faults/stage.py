"""What all actors of a run share: the act that is played, and how far the groups are behind the producers."""

from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.world import World


class Act(StrEnum):
    """Everything breaks and everybody works; nothing breaks and what there is gets finished; nothing breaks and new
    events meet waiting consumers; nothing new comes and all wait; everybody goes home."""

    STORM = "storm"
    DRAIN = "drain"
    CALM = "calm"
    HUSH = "hush"
    OVER = "over"


@dataclass
class Stage:
    """Written by whoever leads the run, but for the lags, which the watch keeps."""

    world: World
    act: Act = Act.STORM
    # Producers rest while a group has more than this to do: what is left has to be finished in the end.
    most_unfinished: int = 1_500
    lags: dict[str, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.act == Act.OVER

    @property
    def is_storm(self) -> bool:
        return self.act == Act.STORM

    @property
    def is_calm(self) -> bool:
        """Whether consumers wait for long."""
        return self.act in (Act.CALM, Act.HUSH)

    @property
    def is_producing(self) -> bool:
        return self.act in (Act.STORM, Act.CALM)

    def is_too_far_ahead(self, stream: str) -> bool:
        """Whether some group of the stream cannot keep up."""
        groups = [group.name for group in self.world.groups if group.stream == stream]
        return any(self.lags.get(group, 0) > self.most_unfinished for group in groups)
