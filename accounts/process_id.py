"""This process's id, asked of the system once: some ask for it at every request, six times and more."""

import os

_id = os.getpid()


def process_id() -> int:
    """Return what `os.getpid` returns, also in a forked child."""
    return _id


def _ask_again() -> None:
    global _id  # noqa: PLW0603 - one for each process is the point
    _id = os.getpid()


os.register_at_fork(after_in_child=_ask_again)
