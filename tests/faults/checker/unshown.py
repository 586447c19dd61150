"""What no history of requests can show, and where it is tested instead."""

from typing import Final

UNSHOWN: Final[dict[str, str]] = {
    "P7": "that a limit is decided before the body is read: here the answer comes although no body is ever sent; memory "
    "and time: tests/site/test_hostile_transport.py",
    "R3": "that a wait holds no database connection: tests/consumers/test_poll.py",
    "R5": "the metric of gaps: tests/observability/test_metrics_page.py",
    "C2": "seeks: nobody seeks here (tests/consumers/test_seek.py)",
    "Q7": "groups in an order: an event there is not ready while one before it is tried again",
    "D4": "rights: tests/conventions/test_permission_table.py",
    "D6": "a kill between two certain lines: here kills strike where they strike (tests/concurrency/test_killed_mover.py)",
    "L3": "hostile input: tests/site/test_hostile_json.py and its neighbours, and tests/fuzz/__main__.py",
    "T1-T8": "rights, credentials and the cost of hostile bodies: one caller with all rights plays here",
}
