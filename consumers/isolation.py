"""What becomes of a lease that did not end in an ack: which pieces, in which state, after which delay.

One bad event must never take its neighbours along, and must be found within a bounded number of crashes.
The rules, for a group with `max_failures` = m:

1. A range that **expired** is cut into equal pieces, so few that the attempts left are just enough: with r
   attempts left and n events into k = ⌈n^(1/r)⌉ pieces. A piece has at most k^(r-1) events, so by the last
   attempt (r = 1) each piece is a single event.
2. What has expired once is handed out **by itself**: an answer that carries such a piece carries nothing
   else. So a crash tells of that piece alone.
3. A range that was **nacked** stays whole, since its consumer lives and could have named the events; only for
   its last attempt it is dealt out as single events, each by itself.
4. An expiry **exhausts** only a single event that was handed out by itself. For anything larger the count
   stops at m - 1, which leaves the one attempt that proves it.

It follows that an event that kills its consumer every time is delivered m times (m + 1 if m = 1 and the first
answer held more than it): at the i-th crash its piece is cut for the i-th time, after m - 1 cuts it is alone,
and the m-th crash exhausts it. A neighbour that does no harm is acked the first time it is handed out without
the bad event, which rule 1 makes happen at the m-th delivery at the latest, with at most m - 1 failures: by
rule 4 it cannot have been exhausted before, and by rule 2 no other crash of the same answer can count against
it. For 500 events and m = 5 the pieces are 100, 20, 4 and 1: five crashes, and 400, 80, 16 and 3 of the 499
neighbours have one, two, three and four failures to their name, which the ack forgets.

The same holds for the delivery cap, which counts every lease, released ones too.

None of this is for what a person leased in the browser: nobody crashed, so what expires there is released.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.states import DeliveryState, ExhaustedReason


@dataclass(frozen=True, slots=True)
class Limits:
    """A group's patience."""

    max_failures: int
    max_deliveries: int


@dataclass(frozen=True, slots=True)
class HeldRange:
    """What was leased. `is_alone`: the answer that carried it carried nothing else."""

    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    is_alone: bool

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what was leased and what becomes of it.

    Attributes:
        is_alone: its next answer must carry nothing else.
        delay: own delay in seconds, or None to follow the group's backoff; nothing while exhausted.
    """

    first_offset: int
    last_offset: int
    state: DeliveryState
    failure_count: int
    is_alone: bool = False
    delay: float | None = None
    reason: ExhaustedReason | None = None
    error: str | None = None


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
    attempts_left = _attempts_left(held, failures, limits)
    return [
        Piece(first, last, DeliveryState.WAITING, failures, is_alone=True)
        for first, last in cut(held.first_offset, held.last_offset, pieces=piece_count(held.event_count, attempts_left))
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
    return _whole_or_dealt_out(held, limits, failures, delay=delay)


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
    return _whole_or_dealt_out(held, limits, held.failure_count, delay=0.0)


def piece_count(event_count: int, attempts_left: int) -> int:
    """The smallest k with k ** attempts_left >= event_count: into how many pieces a range that expired is cut."""
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
    return max(1, min(limits.max_failures - failure_count, limits.max_deliveries - held.delivery_count))


def _whole_or_dealt_out(held: HeldRange, limits: Limits, failure_count: int, *, delay: float | None) -> list[Piece]:
    is_last = _attempts_left(held, failure_count, limits) == 1
    pieces = held.event_count if is_last else 1
    # What crashed a consumer before and was given back untouched has not proved anything since.
    is_suspect = held.is_alone and 0 < failure_count == held.failure_count
    is_alone = is_last or is_suspect
    return [
        Piece(first, last, DeliveryState.WAITING, failure_count, is_alone=is_alone, delay=delay)
        for first, last in cut(held.first_offset, held.last_offset, pieces=pieces)
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
    return Piece(offset, offset, DeliveryState.WAITING, failures, is_alone=is_alone, delay=delay, error=error)


def _exhausted(offset: int, failure_count: int, reason: ExhaustedReason, error: str | None = None) -> Piece:
    return Piece(offset, offset, DeliveryState.EXHAUSTED, failure_count, reason=reason, error=error)
