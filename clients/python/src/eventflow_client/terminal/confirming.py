"""What cannot be taken back is asked about first."""

import sys

from .wrong_use import WrongUse


class NotConfirmed(WrongUse):
    """It was not done."""


def confirm(question: str, *, is_given: bool) -> None:
    """Ask, unless `--yes` was given.

    Raises:
        NotConfirmed: no, or nobody can be asked.
    """
    if is_given:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(f"{question} There is no terminal to ask at: --yes says so, --dry-run only looks.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmed("Nothing was done.")
