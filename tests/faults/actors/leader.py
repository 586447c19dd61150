"""The leader looks whether everything that there was to do has been done."""

from tests.faults.actors.acting import Acting
from tests.faults.ask import Ask, Reply
from tests.faults.world import World


def is_settled(world: World) -> Acting:
    """Return whether every group has finished all there is."""
    for group in world.groups:
        offsets: Reply = yield Ask("offsets", group.stream, group.name)
        if not offsets.is_durable or offsets.got["committed"] != offsets.got["head"]:
            return False
        if group.mode == "lease":
            deliveries: Reply = yield Ask("deliveries", group.stream, group.name)
            if not deliveries.is_durable or deliveries.got["count"]:
                return False
    return True
