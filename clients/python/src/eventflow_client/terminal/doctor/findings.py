"""What was looked at, how it stands, and how to mend it."""

from enum import StrEnum

import msgspec


class Standing(StrEnum):
    """How something stands.

    GOOD: as it should be. ODD: it works, and will trouble somebody. WRONG: it does not work. UNSEEN: not looked at.
    """

    GOOD = "good"
    ODD = "odd"
    WRONG = "wrong"
    UNSEEN = "not looked at"


class Finding(msgspec.Struct, frozen=True):
    """One of them.

    Attributes:
        mend: what to do about it, or to have it looked at; empty where there is nothing to do.
    """

    check: str
    standing: Standing
    found: str
    mend: str = ""


def good(check: str, found: str) -> Finding:
    return Finding(check, Standing.GOOD, found)


def odd(check: str, found: str, mend: str) -> Finding:
    return Finding(check, Standing.ODD, found, mend)


def wrong(check: str, found: str, mend: str) -> Finding:
    return Finding(check, Standing.WRONG, found, mend)


def unseen(check: str, why: str, mend: str = "") -> Finding:
    return Finding(check, Standing.UNSEEN, why, mend)
