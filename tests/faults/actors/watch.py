"""The watch: asks again and again whether the service lives and is ready, and where the groups stand."""

import random

from tests.faults.actors.acting import Acting
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage


def keep_watch(me: str, dice: random.Random, stage: Stage) -> Acting:
    turn = 0
    while not stage.is_over:
        yield Ask("healthz")
        yield Ask("readyz")
        turn += 1
        group = stage.world.groups[turn % len(stage.world.groups)]
        reply: Reply = yield Ask("offsets", group.stream, group.name)
        if reply.is_durable:
            committed = reply.got["committed"]
            stage.lags[group.name] = sum(head - committed[number] for number, head in reply.got["head"].items())
        yield Rest(dice.uniform(0.1, 0.6))
