"""The streams and groups of a run, and how patient the checker is with the machine that it runs on."""

from dataclasses import dataclass, field
from typing import Any

from tests.faults.events import type_of


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """`max_events`: how many retention keeps; None: all. `stores_ids_once`: retries need no Idempotency-Key."""

    name: str
    partitions: int
    max_events: int | None = None
    stores_ids_once: bool = False


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Names of groups are unique in the run, so that a name alone says which. Durations are seconds.

    `types`: those that its filter lets through; none: all.
    """

    name: str
    stream: str
    mode: str
    ordering: str = "none"
    ack_wait: int = 3
    backoff: tuple[int, ...] = (1, 2)
    max_failures: int = 4
    max_deliveries: int = 15
    types: tuple[str, ...] = ()

    def is_given(self, name: str) -> bool:
        """Whether its filter lets an event through."""
        return not self.types or type_of(name) in self.types

    def backoff_seconds(self, failures: int) -> float:
        """The shortest wait after the n-th failure, jitter included."""
        return 0.8 * self.backoff[min(max(failures, 1), len(self.backoff)) - 1]


STREAMS = (
    StreamPlan("one", 1),
    StreamPlan("many", 4),
    StreamPlan("short", 1, max_events=400),
    StreamPlan("once", 2, stores_ids_once=True),
)
GROUPS = (
    GroupPlan("one-offset-a", "one", "offset"),
    GroupPlan("one-offset-b", "one", "offset"),
    GroupPlan("many-offset", "many", "offset"),
    GroupPlan("short-offset", "short", "offset"),
    GroupPlan("one-in-order", "one", "lease", ordering="partition"),
    GroupPlan("many-lease", "many", "lease"),
    GroupPlan("many-by-key", "many", "lease", ordering="key"),
    GroupPlan("many-patient", "many", "lease", ack_wait=6, backoff=(0, 1), max_failures=3),
    GroupPlan("many-filtered", "many", "lease", types=("kind-1",)),
)


@dataclass(frozen=True, slots=True)
class World:
    """What a run works with.

    Attributes:
        seed: chooses the load and the faults.
        load_seconds: how long this machine took to load the application, once: the promises of time are stretched by it.
    """

    seed: int
    load_seconds: float = 0.0
    streams: tuple[StreamPlan, ...] = STREAMS
    groups: tuple[GroupPlan, ...] = field(default=GROUPS)

    @property
    def patience_seconds(self) -> float:
        """What a promise of a second or two may take on this machine before it counts as broken."""
        return 5.0 + min(10.0, self.load_seconds)

    @property
    def back_seconds(self) -> float:
        """Within what the first append after a fault has to succeed: 5 s, and what waits for others that load too."""
        return 5.0 + 4 * self.load_seconds

    @property
    def calm_wait_seconds(self) -> float:
        """A wait that is longer than patience: who is not woken is told apart from who is woken late."""
        return min(30.0, self.patience_seconds + 9.0)

    def stream(self, name: str) -> StreamPlan:
        return next(stream for stream in self.streams if stream.name == name)

    def group(self, name: str) -> GroupPlan:
        return next(group for group in self.groups if group.name == name)

    def of_mode(self, mode: str) -> list[GroupPlan]:
        return [group for group in self.groups if group.mode == mode]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "World":
        """Read back what a history kept."""
        return cls(
            fields["seed"],
            fields["load_seconds"],
            tuple(StreamPlan(**each) for each in fields["streams"]),
            tuple(
                GroupPlan(**{**each, "backoff": tuple(each["backoff"]), "types": tuple(each.get("types", ()))})
                for each in fields["groups"]
            ),
        )
