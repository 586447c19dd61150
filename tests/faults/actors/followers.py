"""Followers: plain readers that go on from where the last answer said, waiting for what comes; some hang up."""

import random
from typing import Any

from tests.faults.actors.acting import Acting
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage

# How slow one is, so that retention gets ahead of it now and then.
IDLE_SECONDS = 40.0


def follow(me: str, dice: random.Random, stage: Stage, stream: str, *, is_idle: bool = False) -> Acting:
    """Read a stream from the beginning, for ever; one that is idle rests so long that retention overtakes it."""
    start = {str(number): 0 for number in range(stage.world.stream(stream).partitions)}
    after = dict(start)
    while not stage.is_over:
        wait = _wait(dice, stage)
        sent: dict[str, Any] = {
            "after": dict(after),
            "limit": dice.choice((1, 7, 100, 1000)),
            "max_bytes": dice.choice((1, 5_000, 1_000_000)),
            "wait": wait,
        }
        if len(after) > 1 and dice.random() < 0.3:
            chosen = dice.choice(sorted(after))
            sent |= {"after": {chosen: after[chosen]}, "partition": int(chosen)}
        if stage.is_storm and dice.random() < 0.04:
            sent["vanish"] = ["wait" if wait else "answer", dice.uniform(0, 1.5)]
        reply: Reply = yield Ask("poll", stream, sent=sent)
        if reply.is_durable:
            after |= reply.got["next"]
        else:
            yield Rest(dice.uniform(0.05, 0.4))
        if stage.is_storm and dice.random() < 0.01:
            after = dict(start)
        yield Rest(_pause(dice, stage, is_idle=is_idle))


def _wait(dice: random.Random, stage: Stage) -> float:
    if stage.is_calm:
        return stage.world.calm_wait_seconds
    return dice.choice((0, 0, 0.5, 2, 6))


def _pause(dice: random.Random, stage: Stage, *, is_idle: bool) -> float:
    if is_idle and stage.is_storm:
        return IDLE_SECONDS
    return 0.0 if stage.is_calm else dice.choice((0.0, 0.05, 0.3))
