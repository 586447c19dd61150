"""Members of offset-mode groups: poll from the committed offset, commit what they got; some commit nonsense."""

import random
from typing import Any

from tests.faults.actors.acting import Acting, ask_until_known
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.stage import Stage
from tests.faults.world import GroupPlan

FAR = 1_000_000_000


def read_and_commit(me: str, dice: random.Random, stage: Stage, group: GroupPlan) -> Acting:
    """Work the group off, for as long as the run goes on."""
    while not stage.is_over:
        sent = {
            "after": "committed",
            "limit": dice.choice((5, 50, 500)),
            "max_bytes": 1_000_000,
            "wait": dice.choice((0, 1, 3)),
        }
        reply: Reply = yield Ask("poll", group.stream, group.name, sent)
        if not reply.is_durable:
            yield Rest(dice.uniform(0.05, 0.5))
            continue
        if reply.got["runs"] or reply.got["gaps"]:
            yield from _finish(reply.got, dice, stage, group)
        yield Rest(dice.choice((0.02, 0.1, 0.4)))


def _finish(got: dict[str, Any], dice: random.Random, stage: Stage, group: GroupPlan) -> Acting:
    if stage.is_storm and dice.random() < 0.15:
        # It crashed between the work and the commit.
        return
    if stage.is_storm and dice.random() < 0.05 and got["runs"]:
        partition, first, _ = got["runs"][0]
        yield Ask("report", group.stream, group.name, {"partition": partition, "offset": first})
    commit = Ask("commit", group.stream, group.name, {"offsets": dict(got["next"])})
    if dice.random() < 0.7:
        yield from ask_until_known(commit, dice, stage, tries=5)
    else:
        yield commit
    if dice.random() < 0.1:
        yield Ask("offsets", group.stream, group.name)
    if dice.random() < 0.05:
        # Too late, and too far.
        earlier = {partition: max(0, offset - 3) for partition, offset in got["next"].items()}
        yield Ask("commit", group.stream, group.name, {"offsets": earlier})
    if dice.random() < 0.03:
        yield Ask("commit", group.stream, group.name, {"offsets": dict.fromkeys(got["next"], FAR), "beyond": True})
