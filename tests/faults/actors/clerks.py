"""Clerks: look through the dead letters and redrive or discard them; they click twice, and there are two of them."""

import random

from tests.faults.actors.acting import Acting, ask_until_known
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage
from tests.faults.world import GroupPlan


def deal_with_dead_letters(me: str, dice: random.Random, stage: Stage) -> Acting:
    """Redrive with a mended payload, redrive as it is, or discard; what readers parked stays, for retention to pass by."""
    number = 0
    while not stage.is_over:
        if stage.is_calm:
            yield Rest(0.5)
            continue
        group = dice.choice(stage.world.of_mode("lease"))
        reply: Reply = yield Ask("letters", group.stream, group.name, {"status": "open"})
        letters = reply.got["letters"] if reply.is_durable else []
        for letter in letters[:8]:
            number += 1
            yield from _deal_with(letter["id"], group, f"{me}-{number}", dice, stage)
        yield Rest(dice.uniform(0.3, 1.5))


def _deal_with(letter: int, group: GroupPlan, key: str, dice: random.Random, stage: Stage) -> Acting:
    # What is redriven while everything is drained could become a dead letter again, and so on.
    verb = "redrive" if stage.is_storm and dice.random() < 0.7 else "discard"
    sent: dict[str, object] = {"letter": letter}
    if verb == "redrive" and dice.random() < 0.7:
        looked: Reply = yield Ask("letter", group.stream, group.name, {"letter": letter})
        if not looked.is_durable:
            return
        sent["edited"] = looked.got["name"].rstrip("!")
    if dice.random() < 0.3:
        sent["key"] = f"{verb}-{key}"
    ask = Ask(verb, group.stream, group.name, sent)
    if "key" in sent:
        yield from ask_until_known(ask, dice, stage)
    else:
        yield ask
    if dice.random() < 0.4:
        yield Ask(dice.choice((verb, verb, "discard")), ask.stream, ask.group, {"letter": letter})
