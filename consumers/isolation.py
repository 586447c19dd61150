"""What becomes of a lease that did not end in an ack: which pieces, in which state, after which delay.

One bad event must never take its neighbours along, and must be found within a bounded number of crashes. And most
consumers that die were only restarted: then what they held must be done again in few answers, and hold up nothing.
The rules, for a group with `max_failures` = m:

1. What **expired** is under suspicion. Of n events that one answer carried, an answer may from then on carry n / k at
   most (rounded up; the `suspect_limit` of each), and longer ranges are cut to that. k is as small as the r attempts
   left allow, ⌈n^(1/r)⌉, but 10 at most, lest a group that allows few failures come apart into single events.
2. After its first crash it goes **beside** what is not under suspicion, and beside others that are, up to the limit.
   It takes half of the room at most while anything else is there.
3. What has crashed again is handed out **by itself**: an answer that carries such a piece carries nothing else.
4. A range that was **nacked** is no suspect and stays whole, since its consumer lives and could have named the events;
   only for its last attempt it is dealt out as single events, each by itself.
5. What was **released** is what it was before: nothing comes under suspicion by it, and nothing is cleared.
6. An expiry **exhausts** only a single event that was handed out by itself. For anything else the count stops at
   m - 1, which leaves the one attempt that proves it.

It follows that an event that kills its consumer every time, and came in an answer of n <= 1,000, is delivered at most
max(m, 3, 1 + ⌈log10 n⌉) times, which is max(m, 4) at most. For each crash divides by k how many suspects its next
answer may carry. If k is below 10 at the first, m - 1 crashes are enough to make it a single event; if it is 10,
⌈log10 n⌉ are. By rule 3 it is by itself after the second crash at the latest. The next crash of a single event that is
by itself proves it (rule 6), and what m wants beyond that it fails by itself. What was leased as a single event and by
itself in the first place fails m times.

A neighbour that does no harm is acked the first time it is handed out without a bad event. Its own limit falls in the
same way, so that happens at its delivery number max(m, 4) at the latest, however many bad events there are; by rule 6
it cannot have been exhausted before. What is beside a suspect when that kills the consumer has its first crash then,
and goes by rule 1 itself. For 500 events and m = 5 the pieces are 100, 20, 4 and 1: five crashes, and 400, 80, 16 and 3
of the 499 neighbours have one, two, three and four failures to their name, which the ack forgets. For 176 events and
m = 2 they are 18, 2 and 1: four crashes; and if nothing was wrong with them, ten answers and all is done.

The delivery cap counts every lease, released ones too. Nothing goes beyond it: where the deliveries that it leaves
want more pieces than 10, there are more, and with one left each event is by itself. (A cap of 1 means two.)

None of this is for what a person leased in the browser: nobody crashed, so what expires there is released.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.states import DeliveryState, ExhaustedReason


@dataclass(frozen=True, slots=True)
class Limits:
    """A group's patience."""

    max_failures: int
    max_deliveries: int


# Into how many pieces what expired comes apart at most, unless the delivery cap leaves no choice. More would find a bad
# event after fewer crashes, and make more answers of each restart.
MOST_PIECES = 10


@dataclass(frozen=True, slots=True)
class HeldRange:
    """What was leased.

    Attributes:
        is_alone: the answer that carried it carried nothing else.
        suspect_limit: 0 if it was not under suspicion.
        answer_count: how many events of its kind that answer carried: under suspicion, or not.
    """

    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    is_alone: bool
    suspect_limit: int
    answer_count: int

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what was leased and what becomes of it.

    Attributes:
        is_alone: its next answer must carry nothing else.
        suspect_limit: how many events under suspicion its next answer may carry, these included; 0: it is no suspect.
        delay: own delay in seconds, or None to follow the group's backoff; nothing while exhausted.
    """

    first_offset: int
    last_offset: int
    state: DeliveryState
    failure_count: int
    is_alone: bool = False
    suspect_limit: int = 0
    delay: float | None = None
    reason: ExhaustedReason | None = None
    error: str | None = None


class Suspect(Protocol):
    """A waiting range that is under suspicion."""

    @property
    def event_count(self) -> int: ...

    @property
    def suspect_limit(self) -> int: ...


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """One event that an ack named as failed."""

    offset: int
    error: str = ""
    delay: float | None = None
    is_terminal: bool = False


def after_expiry(held: HeldRange, limits: Limits) -> list[Piece]:
    """The consumer did not answer in time: it may be dead, and one of these events the cause."""
    if held.event_count == 1 and held.is_alone:
        return [_one_failed(held, limits, held.first_offset, is_suspect=True)]
    failures = _failures_of_a_range(held, limits)
    suspect_limit = -(-held.answer_count // _divisor(held, failures, limits))
    is_alone = held.suspect_limit > 0 or _deliveries_left(held, limits) == 1
    return [
        Piece(first, last, DeliveryState.WAITING, failures, is_alone=is_alone, suspect_limit=suspect_limit)
        for first, last in cut(held.first_offset, held.last_offset, pieces=-(-held.event_count // suspect_limit))
    ]


def after_nack(
    held: HeldRange, limits: Limits, *, delay: float | None = None, is_terminal: bool = False
) -> list[Piece]:
    """The consumer says that all of it failed."""
    if is_terminal:
        return [
            Piece(
                held.first_offset,
                held.last_offset,
                DeliveryState.EXHAUSTED,
                held.failure_count + 1,
                reason=ExhaustedReason.TERMINAL,
            )
        ]
    if held.event_count == 1:
        return [_one_failed(held, limits, held.first_offset, delay=delay)]
    failures = _failures_of_a_range(held, limits)
    if _attempts_left(held, failures, limits) == 1:
        return _dealt_out(held, failures, delay=delay)
    return [Piece(held.first_offset, held.last_offset, DeliveryState.WAITING, failures, delay=delay)]


def after_named_failures(held: HeldRange, limits: Limits, failed: Sequence[FailedEvent]) -> list[Piece]:
    """The consumer acked all but these, which lie within the range: each goes on by itself."""
    return [
        _one_failed(held, limits, event.offset, delay=event.delay, is_terminal=event.is_terminal, error=event.error)
        for event in sorted(failed, key=lambda event: event.offset)
    ]


def after_release(held: HeldRange, limits: Limits) -> list[Piece]:
    """The consumer gives it back untouched: no failure, available at once; only the deliveries count."""
    if held.event_count == 1 and held.delivery_count >= limits.max_deliveries:
        return [_exhausted(held.first_offset, held.failure_count, ExhaustedReason.DELIVERY_CAP)]
    if _deliveries_left(held, limits) == 1:
        return _dealt_out(held, held.failure_count, delay=0.0)
    return [
        Piece(
            held.first_offset,
            held.last_offset,
            DeliveryState.WAITING,
            held.failure_count,
            # A single new event may have been alone by chance.
            is_alone=held.is_alone and held.failure_count > 0,
            suspect_limit=held.suspect_limit,
            delay=0.0,
        )
    ]


def may_go_together(suspects: Sequence[Suspect]) -> bool:
    """Whether one answer may carry all of these."""
    return sum(each.event_count for each in suspects) <= min((each.suspect_limit for each in suspects), default=0)


def piece_count(event_count: int, attempts_left: int) -> int:
    """The smallest k with k ** attempts_left >= event_count: into how many pieces attempts are enough to cut."""
    attempts_left = min(attempts_left, event_count.bit_length())  # 2 pieces are the fewest that still cut
    pieces = 1
    while pieces**attempts_left < event_count:
        pieces += 1
    return pieces


def cut(first_offset: int, last_offset: int, *, pieces: int) -> list[tuple[int, int]]:
    """Cut a range into equal pieces; the last ones may be smaller or missing."""
    size = -(-(last_offset - first_offset + 1) // pieces)
    return [(first, min(first + size - 1, last_offset)) for first in range(first_offset, last_offset + 1, size)]


def _failures_of_a_range(held: HeldRange, limits: Limits) -> int:
    """One more, but never the last; and never fewer than before, if somebody has lowered the limit meanwhile."""
    return max(held.failure_count, min(held.failure_count + 1, limits.max_failures - 1))


def _attempts_left(held: HeldRange, failure_count: int, limits: Limits) -> int:
    """Deliveries to come, at least one: the proof that a range still owes."""
    return max(1, min(limits.max_failures - failure_count, _deliveries_left(held, limits)))


def _deliveries_left(held: HeldRange, limits: Limits) -> int:
    """What the cap leaves, at least one."""
    return max(1, limits.max_deliveries - held.delivery_count)


def _divisor(held: HeldRange, failure_count: int, limits: Limits) -> int:
    by_failures = piece_count(held.answer_count, max(1, limits.max_failures - failure_count))
    return max(min(by_failures, MOST_PIECES), piece_count(held.answer_count, _deliveries_left(held, limits)))


def _dealt_out(held: HeldRange, failure_count: int, *, delay: float | None) -> list[Piece]:
    # Each by itself, so that what was under suspicion keeps no more than itself to be suspected with.
    suspect_limit = min(held.suspect_limit, 1)
    return [
        Piece(
            offset,
            offset,
            DeliveryState.WAITING,
            failure_count,
            is_alone=True,
            suspect_limit=suspect_limit,
            delay=delay,
        )
        for offset in range(held.first_offset, held.last_offset + 1)
    ]


def _one_failed(
    held: HeldRange,
    limits: Limits,
    offset: int,
    *,
    is_suspect: bool = False,
    delay: float | None = None,
    is_terminal: bool = False,
    error: str | None = None,
) -> Piece:
    failures = held.failure_count + 1
    if is_terminal:
        return _exhausted(offset, failures, ExhaustedReason.TERMINAL, error)
    if failures >= limits.max_failures:
        return _exhausted(offset, failures, ExhaustedReason.MAX_FAILURES, error)
    if held.delivery_count >= limits.max_deliveries:
        return _exhausted(offset, failures, ExhaustedReason.DELIVERY_CAP, error)
    is_alone = is_suspect or _attempts_left(held, failures, limits) == 1
    return Piece(
        offset,
        offset,
        DeliveryState.WAITING,
        failures,
        is_alone=is_alone,
        suspect_limit=int(is_suspect),
        delay=delay,
        error=error,
    )


def _exhausted(offset: int, failure_count: int, reason: ExhaustedReason, error: str | None = None) -> Piece:
    return Piece(offset, offset, DeliveryState.EXHAUSTED, failure_count, reason=reason, error=error)
