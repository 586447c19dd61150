"""Who plays in a run: each actor by name, so that live runs and simulations have the same cast."""

import random
from collections.abc import Callable, Mapping

from tests.faults.actors.acting import Acting
from tests.faults.actors.clerks import deal_with_dead_letters
from tests.faults.actors.followers import follow
from tests.faults.actors.lessees import lease_and_settle
from tests.faults.actors.members import read_and_commit
from tests.faults.actors.producers import produce, pulse
from tests.faults.actors.watch import keep_watch
from tests.faults.stage import Stage

Play = Callable[..., Acting]

PRODUCERS = 6
MEMBERS_OF_A_GROUP = 2
LESSEES_OF_A_GROUP = 3
CLERKS = 2


def cast_of(stage: Stage) -> Mapping[str, Acting]:
    """Return name → actor; the dice of each depend on the seed and its name alone."""
    world = stage.world

    def dice(name: str) -> random.Random:
        return random.Random(f"{world.seed} {name}")

    cast: dict[str, Acting] = {}

    def enter(name: str, play: Play, *what: object, **how: object) -> None:
        cast[name] = play(name, dice(name), stage, *what, **how)

    for number in range(PRODUCERS):
        enter(f"p{number}", produce)
    for stream in world.streams:
        enter(f"f-{stream.name}", follow, stream.name)
        if stream.max_events is not None:
            enter(f"idle-{stream.name}", follow, stream.name, is_idle=True)
    for group in world.of_mode("offset"):
        for number in range(MEMBERS_OF_A_GROUP):
            enter(f"m-{group.name}-{number}", read_and_commit, group)
    for group in world.of_mode("lease"):
        for number in range(LESSEES_OF_A_GROUP):
            enter(f"l-{group.name}-{number}", lease_and_settle, group)
    for number in range(CLERKS):
        enter(f"c{number}", deal_with_dead_letters)
    enter("pulse", pulse)
    enter("watch", keep_watch)
    return cast
