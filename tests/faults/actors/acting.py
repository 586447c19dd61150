"""How actors act: as generators, which ask for one thing after the other and are told what became of it."""

import random
from collections.abc import Generator
from typing import Any

from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage

# A rest is answered with None.
Acting = Generator[Ask | Rest, Any, Any]


def ask_until_known(ask: Ask, dice: random.Random, stage: Stage, *, tries: int = 12) -> Acting:
    """Ask again while the outcome is unknown or the service is away; return the last reply."""
    pause = 0.05
    while True:
        reply: Reply = yield ask
        tries -= 1
        is_settled = reply.is_durable or (reply.is_refused and reply.status not in (None, 429, 503))
        if is_settled or tries <= 0 or stage.is_over:
            return reply
        yield Rest(pause * dice.uniform(0.5, 1.5))
        pause = min(2.0, pause * 2)
