"""Producers: single events, batches and NDJSON, with and without an Idempotency-Key; some are refused, some hang up.

Where ids are stored once they have ids instead, and come again with them.
"""

import random

from tests.faults.actors.acting import Acting, ask_until_known
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage

_FORMS = ("single", "single", "batch", "batch", "minimal", "ndjson")
# What is refused before anything is stored, and how: an unknown field amid a batch, a number that lies outside of its
# range, more events than a request may have, and a length that no server would wait for.
FLAWS = ("unknown field", "bad type", "too many", "too long")


def produce(me: str, dice: random.Random, stage: Stage) -> Acting:
    """Append for as long as there is something to produce."""
    number = 0
    while not stage.is_over:
        stream = dice.choice(stage.world.streams).name
        if not stage.is_producing or stage.is_too_far_ahead(stream):
            yield Rest(0.5)
            continue
        number += 1
        if stage.is_storm:
            yield from _append(f"{me}-{number}", stream, dice, stage)
            yield Rest(dice.choice((0.0, 0.02, 0.1, 0.3)))
        else:
            base = f"{me}-{number}"
            yield Ask("append", stream, sent={"base": base, "count": 1, "form": "single", "key": base})
            yield Rest(dice.uniform(0.3, 0.8))


def _append(base: str, stream: str, dice: random.Random, stage: Stage) -> Acting:
    form = dice.choice(_FORMS)
    count = 1 if form == "single" else dice.choice((2, 3, 5, 8, 30))
    sent: dict[str, object] = {"base": base, "count": count, "form": form}
    if stage.world.stream(stream).stores_ids_once:
        # Of what was there already the ranges of a minimal answer say nothing.
        sent |= {"by_id": True, "form": "batch" if form == "minimal" else form}
    elif dice.random() < 0.6:
        sent["key"] = base
    luck = dice.random()
    if luck < 0.04:
        sent |= {"form": "batch", "count": max(3, count), "flaw": dice.choice(FLAWS)}
    elif luck < 0.06:
        sent["vanish"] = ["body", dice.uniform(0, 0.3)]
    elif luck < 0.09:
        sent["vanish"] = ["answer", dice.choice((0.0, 0.002, 0.01, 0.05))]
    ask = Ask("append", stream, sent=sent)
    reply: Reply = yield ask
    # Whoever left does not know, and comes again only with a key, or where ids are stored once; what was refused may be
    # sent again by anybody.
    is_safe = "key" in sent or "by_id" in sent
    if (reply.is_unknown and is_safe) or (reply.is_refused and "flaw" not in sent and dice.random() < 0.5):
        again = Ask("append", stream, sent={name: value for name, value in sent.items() if name != "vanish"})
        reply = yield from ask_until_known(again, dice, stage) if is_safe else _once(again)
    if not reply.is_durable:
        yield Rest(dice.uniform(0.05, 0.5))


def _once(ask: Ask) -> Acting:
    reply: Reply = yield ask
    return reply


def pulse(me: str, dice: random.Random, stage: Stage) -> Acting:
    """Append one event after the other, whatever the groups can take: so that it shows when appends are back."""
    number = 0
    while not stage.is_over:
        if stage.is_storm:
            number += 1
            sent = {"base": f"{me}-{number}", "count": 1, "form": "single", "patience": 4.0}
            yield Ask("append", stage.world.streams[0].name, sent=sent)
        yield Rest(dice.uniform(0.1, 0.4))
