"""The life of a delivery, written once.

```
             lease                            ack
   (next) ─────────> LEASED ─────────────────────────────> finished: the row goes
                     │  ▲  ╲
  nack, expiry,      │  │   ╲ nack, expiry or release with no attempt left
  release, put back  ▼  │    ╲
   redrive ───────> WAITING   ╲──> EXHAUSTED ── move ────> dead letter: the row goes
                        lease, once available_at has come
```

What is for later is WAITING from the beginning, and is called scheduled until its time. What waits or is held up
lapses when its events expire: the row goes, and they count as finished. Whoever manages the group may let what waits
be handed out now, and release what a consumer holds. A seek ends deliveries in any state, and so does the deletion of
their group.

In a group that keeps the order of each key, an event is HELD_UP from the beginning where something of its key is
unfinished before it; it is let go, and WAITING, when that is finished.

Everything here is pure: it says which state follows and why; `consumers/sql/` makes the move, guarded by
the state it starts from, and the constraints of `consumers/models/deliveries.py` refuse impossible rows.
The header of a statement names its acts; `tests/consumers/test_states.py` plays each and holds it to the table.
How a range that failed as a whole comes apart is in `consumers/isolation.py`.
"""

from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    """Where a delivery stands. A finished one has no row."""

    LEASED = "leased"
    WAITING = "waiting"
    # Something of its key is unfinished before it.
    HELD_UP = "held_up"
    EXHAUSTED = "exhausted"


# What waits is called so that nobody has had yet, and whose time has not come.
SCHEDULED: Final = "scheduled"
PRESENT_STATES: Final = (*(state.value for state in DeliveryState), SCHEDULED)


class Act(StrEnum):
    """What happens to a delivery."""

    LEASE = "lease"
    ACK = "ack"
    NACK = "nack"
    EXPIRE = "expire"
    RELEASE = "release"
    EXTEND = "extend"
    # Somebody lets what waits be handed out now.
    RETRY = "retry"
    # What was leased and does not fit into the answer; what retention took before it could be read.
    PUT_BACK = "put_back"
    LOSE = "lose"
    MOVE = "move"
    # What was before it of its key is finished, or its group does not keep the order of keys any more.
    LET_GO = "let_go"
    # Its events expire before anybody is given them, or given them again.
    LAPSE = "lapse"
    REDRIVE = "redrive"
    SEEK = "seek"
    DELETE = "delete"


class ExhaustedReason(StrEnum):
    """Why a group gives up on an event. `reported` is said by offset-mode consumers, of no delivery."""

    MAX_FAILURES = "max_failures"
    DELIVERY_CAP = "delivery_cap"
    TERMINAL = "terminal"
    REPORTED = "reported"


class Outcome(StrEnum):
    """The words of the history: how a lease ended, or why events were never handed out."""

    ACKED = "acked"
    NACKED = "nacked"
    EXPIRED = "expired"
    RELEASED = "released"
    # Retention took the events, or a seek passed them by.
    LOST = "lost"
    SKIPPED = "skipped"
    # They expired.
    LAPSED = "lapsed"


# (before, act) -> what may follow; None is "no row". A range may come apart: then each part follows from the whole.
TRANSITIONS: Final[dict[tuple[DeliveryState | None, Act], frozenset[DeliveryState | None]]] = {
    # A lease that comes across events for later lets them wait, and those behind others of their key, too.
    (None, Act.LEASE): frozenset({DeliveryState.LEASED, DeliveryState.WAITING, DeliveryState.HELD_UP}),
    (None, Act.REDRIVE): frozenset({DeliveryState.WAITING}),
    (DeliveryState.HELD_UP, Act.LET_GO): frozenset({DeliveryState.WAITING}),
    (DeliveryState.HELD_UP, Act.LAPSE): frozenset({None}),
    (DeliveryState.HELD_UP, Act.LOSE): frozenset({None}),
    (DeliveryState.HELD_UP, Act.SEEK): frozenset({None}),
    (DeliveryState.HELD_UP, Act.DELETE): frozenset({None}),
    (DeliveryState.WAITING, Act.LEASE): frozenset({DeliveryState.LEASED}),
    (DeliveryState.WAITING, Act.LAPSE): frozenset({None}),
    (DeliveryState.WAITING, Act.RETRY): frozenset({DeliveryState.WAITING}),
    (DeliveryState.LEASED, Act.EXTEND): frozenset({DeliveryState.LEASED}),
    # An ack may name events that failed: each of them goes on by itself.
    (DeliveryState.LEASED, Act.ACK): frozenset({None, DeliveryState.WAITING, DeliveryState.EXHAUSTED}),
    (DeliveryState.LEASED, Act.NACK): frozenset({DeliveryState.WAITING, DeliveryState.EXHAUSTED}),
    (DeliveryState.LEASED, Act.EXPIRE): frozenset({DeliveryState.WAITING, DeliveryState.EXHAUSTED}),
    (DeliveryState.LEASED, Act.RELEASE): frozenset({DeliveryState.WAITING, DeliveryState.EXHAUSTED}),
    (DeliveryState.LEASED, Act.PUT_BACK): frozenset({DeliveryState.LEASED, DeliveryState.WAITING}),
    (DeliveryState.LEASED, Act.LOSE): frozenset({DeliveryState.LEASED, None}),
    # Long ranges are moved in steps, and a seek into one leaves what lies before its goal.
    (DeliveryState.EXHAUSTED, Act.MOVE): frozenset({None, DeliveryState.EXHAUSTED}),
    (DeliveryState.EXHAUSTED, Act.SEEK): frozenset({None, DeliveryState.EXHAUSTED}),
    (DeliveryState.LEASED, Act.SEEK): frozenset({None}),
    (DeliveryState.WAITING, Act.SEEK): frozenset({None}),
    (DeliveryState.LEASED, Act.DELETE): frozenset({None}),
    (DeliveryState.WAITING, Act.DELETE): frozenset({None}),
    (DeliveryState.EXHAUSTED, Act.DELETE): frozenset({None}),
}


class DeadLetterStatus(StrEnum):
    """What has become of a dead letter.

    ```
    OPEN ── redrive ──> REDRIVEN ── acked ──> RESOLVED       (dead again: stays REDRIVEN, a new one is OPEN)
     │ ╲── resolve ───────────────────────────> RESOLVED     (somebody dealt with the event outside its group)
     ╰──── discard ──> DISCARDED
    ```
    """

    OPEN = "open"
    REDRIVEN = "redriven"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class RedriveOutcome(StrEnum):
    """How a redrive ended."""

    PENDING = "pending"
    ACKED = "acked"
    DEAD_AGAIN = "dead_again"
    # A seek went back behind the event: it is handed out again with all the others.
    SUPERSEDED = "superseded"


class BulkStatus(StrEnum):
    """Where a redrive or discard of many dead letters stands."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
