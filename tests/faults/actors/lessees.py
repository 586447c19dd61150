"""Lessees: consumers in lease mode that ack, ack in part, nack, extend, release, come too late, or crash with the lease."""

import random
from typing import Any

from tests.faults.actors.acting import Acting, ask_until_known
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.events import is_poison
from tests.faults.stage import Stage
from tests.faults.world import GroupPlan

_WAYS = {"ack": 70, "fail": 8, "nack": 5, "terminal": 2, "extend": 4, "release": 4, "crash": 4, "late": 2, "twice": 3}
# A crash that nobody saw: the answer to the lease is never read.
_LOST_ANSWERS = 0.08


def lease_and_settle(me: str, dice: random.Random, stage: Stage, group: GroupPlan) -> Acting:
    """Work the group off, for as long as the run goes on."""
    while not stage.is_over:
        sent: dict[str, Any] = {"max": dice.choice((1, 5, 20, 60)), "wait": _wait(dice, stage), "consumer": me}
        sent["ack_wait"] = group.ack_wait if dice.random() < 0.7 else group.ack_wait + 1.5
        if stage.is_storm and dice.random() < _LOST_ANSWERS:
            sent["vanish"] = ["wait" if sent["wait"] else "answer", dice.choice((0.0, 0.005, 0.05, 0.7))]
        reply: Reply = yield Ask("lease", group.stream, group.name, sent)
        if not reply.is_durable:
            yield Rest(dice.uniform(0.05, 0.5))
            continue
        for delivery in reply.got["deliveries"]:
            yield from _settle(delivery, dice, stage, group)
        yield Rest(dice.choice((0.0, 0.0, 0.05, 0.2)) if not stage.is_calm else 0.0)


def _wait(dice: random.Random, stage: Stage) -> float:
    return stage.world.calm_wait_seconds if stage.is_calm else dice.choice((0, 0.5, 1, 4))


def _settle(delivery: dict[str, Any], dice: random.Random, stage: Stage, group: GroupPlan) -> Acting:
    """Say what became of one delivery."""
    way = _way(dice, stage)
    names = delivery["names"].split()
    poisoned = [offset for offset, name in enumerate(names, delivery["first"]) if is_poison(name)]
    if len(poisoned) == len(names) and way in ("ack", "extend", "twice"):
        way = "nack"
    item = {name: delivery[name] for name in ("id", "token", "partition", "first", "last")}
    if poisoned or way == "fail":
        failed = poisoned or [dice.randint(delivery["first"], delivery["last"])]
        item["failed"] = [[offset, dice.choice((None, None, 0, 2)), dice.random() < 0.1] for offset in failed]

    def say(verb: str, **more: Any) -> Ask:
        named = item if verb == "ack" else {name: item[name] for name in item if name != "failed"}
        return Ask(verb, group.stream, group.name, {"items": [named], **more})

    if way == "crash":
        return
    if way == "late":
        yield Rest(group.ack_wait + dice.uniform(1, 6))
    if way == "extend":
        yield from ask_until_known(say("extend"), dice, stage, tries=3)
        yield Rest(dice.uniform(0, 1))
    if way in ("nack", "terminal"):
        delay = {"delay": dice.choice((0, 1.5))} if dice.random() < 0.3 else {}
        yield from ask_until_known(say("nack", terminal=way == "terminal", **delay), dice, stage)
        # Whoever nacked holds nothing any more.
        if dice.random() < 0.2:
            yield say("ack")
        return
    if way == "release":
        yield from ask_until_known(say("release"), dice, stage)
        return
    yield from ask_until_known(say("ack"), dice, stage)
    if way == "twice":
        yield say(dice.choice(("ack", "ack", "nack", "release")))


def _way(dice: random.Random, stage: Stage) -> str:
    if not stage.is_storm:
        return "ack"
    return dice.choices(list(_WAYS), list(_WAYS.values()))[0]
