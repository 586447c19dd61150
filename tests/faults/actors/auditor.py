"""The auditor: after everything has settled it reads the whole log, every group and every dead letter."""

from tests.faults.actors.acting import Acting
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.world import World

AUDITOR = "auditor"
_TRIES = 60


class NotReadable(Exception):
    """The service does not answer, although nothing is broken any more."""


def read_everything(world: World) -> Acting:
    """Read it all; the answers stand in the history under the auditor's name.

    Raises:
        NotReadable
    """
    for stream in world.streams:
        for number in range(stream.partitions):
            yield from _read_log(stream.name, number)
    for group in world.groups:
        yield from _ask(Ask("offsets", group.stream, group.name))
        if group.mode == "lease":
            yield from _ask(Ask("deliveries", group.stream, group.name))
    yield from _read_letters()


def _read_log(stream: str, partition: int) -> Acting:
    after = 0
    while True:
        sent = {
            "after": {str(partition): after},
            "partition": partition,
            "limit": 1000,
            "max_bytes": 8_000_000,
            "wait": 0,
        }
        reply: Reply = yield from _ask(Ask("poll", stream, sent=sent))
        if reply.got["next"][str(partition)] == after:
            return
        after = reply.got["next"][str(partition)]


def _read_letters() -> Acting:
    cursor = None
    while True:
        reply: Reply = yield from _ask(Ask("letters", sent={"cursor": cursor} if cursor else {}))
        for letter in reply.got["letters"]:
            yield from _ask(Ask("letter", sent={"letter": letter["id"]}))
        cursor = reply.got["next"]
        if not cursor:
            return


def _ask(ask: Ask) -> Acting:
    for _ in range(_TRIES):
        reply: Reply = yield ask
        if reply.is_durable:
            return reply
        yield Rest(0.5)
    raise NotReadable(f"{ask} was answered {reply.status}")
