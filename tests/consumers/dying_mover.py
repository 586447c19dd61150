"""A mover that dies where it is told to: a program with the arguments `GROUP LINE`.

It takes back leases and moves exhausted deliveries, and kills itself before it runs the given line, counted from 0, of
the code that does this. So a test can kill it between any two lines. If there is no such line, it says `done`.
"""

import sys

from tests import dying

MODULES = tuple(
    f"/consumers/{path}"
    for path in (
        "statements.py",
        "services/leasing/expiry.py",
        "services/leasing/settle.py",
        "services/dead_letters/move.py",
        "services/dead_letters/copies.py",
        "services/dead_letters/fate.py",
    )
)


def is_killed(group_id: int, *, before_line: int) -> bool:
    """Let it work for the group and die there; return whether there was such a line."""
    return dying.is_killed(__name__, str(group_id), str(before_line))


def main() -> None:
    from consumers.models import ConsumerGroup
    from consumers.services.dead_letters.move import move_exhausted
    from consumers.services.leasing import expire_leases

    group_id, line = map(int, sys.argv[1:])
    group = ConsumerGroup.objects.select_related("stream").get(pk=group_id)
    with dying.dying_before(line, of=MODULES):
        expire_leases(group=group)
        move_exhausted(group=group)
    print("done", flush=True)
