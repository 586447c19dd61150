"""A range of the toy's events that was handed out, or waits for its time."""

import itertools
from dataclasses import dataclass, field

delivery_ids = itertools.count(1)


@dataclass
class ToyDelivery:
    """A range that was handed out; `token` and `expires` while it is leased, `available` while it waits."""

    partition: int
    first: int
    last: int
    id: int = field(default_factory=lambda: next(delivery_ids))
    token: str = ""
    consumer: str = ""
    leased_at: float = 0.0
    expires: float = 0.0
    available: float = 0.0
    count: int = 0
    failures: int = 0
    round: int = 0
    letter: int | None = None
    edited: str = ""
