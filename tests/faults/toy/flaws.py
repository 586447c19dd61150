"""How the toy can be broken on purpose: each flaw is named for what it does, and breaks a promise that is named too."""

import random
from collections.abc import Iterable
from typing import Final

# flaw -> the invariants of which at least one must be found broken.
FLAWS: Final[dict[str, tuple[str, ...]]] = {
    # --- the log ---
    "answers before the commit": ("P1",),
    "loses a member of a shared commit": ("P1",),
    "stores what it refused": ("P2",),
    "rewrites payloads": ("P3",),
    "stores again on retry": ("P4",),
    "tears batches": ("P5",),
    "tells a wrong offset": ("P6",),
    "takes what is too large": ("P7",),
    "skips offsets": ("O1",),
    "lets events move": ("O2",),
    "appends out of order": ("O3",),
    "fills holes later": ("O4",),
    "moves keys": ("O5",),
    # --- reading ---
    "reads what is stale": ("R1",),
    "lets the head go back": ("R2",),
    "wakes nobody": ("R3",),
    "sends waiters home early": ("R3",),
    "drops events at the limit": ("R4",),
    "jumps over retention in silence": ("R5",),
    # --- offset mode ---
    "commits further than asked": ("C1",),
    "lets commits go back": ("C2",),
    "skips events of a group": ("C3",),
    "commits beyond the head": ("C4",),
    # --- lease mode ---
    "delivers twice at once": ("Q1",),
    "accepts stale acks": ("Q2",),
    "repeats acks as lost": ("Q2",),
    "delivers what was acked": ("Q3",),
    "counts no deliveries": ("Q4",),
    "knows no backoff": ("Q5",),
    "expires too soon": ("Q1", "Q5"),
    "forgets leases of the dead": ("Q6",),
    "starves": ("Q7",),
    "hands out what a filter passes by": ("Q8",),
    "hands out keys side by side": ("Q11",),
    "hands out what is for later": ("Q12",),
    "hands out what has expired": ("Q12",),
    "lets events expire too soon": ("Q12",),
    "forgets what is for later": ("D1",),
    "lets what was acked expire": ("D1",),
    # --- dead letters ---
    "gives up without a letter": ("D1",),
    "acks and gives up": ("D1",),
    "writes letters twice": ("D2",),
    "gives up too early": ("D3",),
    "redrives twice": ("D4",),
    "lets retention take letters": ("D5",),
    # --- being there ---
    "comes back late": ("L1",),
    "stops without Valkey": ("L2",),
    "answers with pages": ("L3",),
}


class Flaws:
    """Which flaws this toy has; each strikes now and then."""

    def __init__(self, names: Iterable[str], dice: random.Random) -> None:
        self.names = frozenset(names)
        assert self.names <= set(FLAWS), self.names
        self._dice = dice

    def strikes(self, name: str, *, chance: float = 1.0) -> bool:
        return name in self.names and self._dice.random() < chance
