"""A group without a database: what waits, what is new, and consumers that die of some events, by the rules alone."""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from consumers.isolation import HeldRange, Limits, Piece, after_expiry, after_release
from consumers.services.leasing.rows import DueRow
from consumers.services.leasing.sharing import fit, going_together, room_for_due
from consumers.states import DeliveryState

MOST_ANSWERS = 20_000


@dataclass(frozen=True)
class Part:
    """A range of an answer, or one that waits to be in one."""

    first: int
    last: int
    deliveries: int = 0
    failures: int = 0
    suspect_limit: int = 0
    must_be_alone: bool = False

    @property
    def events(self) -> range:
        return range(self.first, self.last + 1)

    def as_row(self) -> DueRow:
        return DueRow(0, 0, 0, None, self.first, self.last, self.suspect_limit)


@dataclass
class PlayedGroup:
    """A group with so many new events; answers have room for `max_events`.

    Attributes:
        answers: how many were given.
        crashes: how often each event was in an answer whose consumer died.
        proofs: the answers that left somebody dead, as the events that they carried.
    """

    limits: Limits
    new_events: int
    max_events: int
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    reached: int = 0
    waiting: list[Part] = field(default_factory=list)
    answers: int = 0
    crashes: Counter[int] = field(default_factory=Counter)
    acked: list[int] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)
    proofs: list[list[int]] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return not self.waiting and self.reached == self.new_events

    def consume(
        self,
        *,
        killers: Collection[int] = (),
        is_struck: Callable[[], bool] = lambda: False,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Answer until nothing is left: a consumer dies of a killer or is struck, or gives all back, or acks it."""
        while not self.is_done:
            assert self.answers < MOST_ANSWERS, f"it never ends: {self.waiting[:20]}"
            answer = self.lease()
            if is_struck() or any(event in killers for part in answer for event in part.events):
                self.expire(answer)
            elif is_stopped():
                self.release(answer)
            else:
                self.acked += [event for part in answer for event in part.events]

    def lease(self) -> list[Part]:
        self.answers += 1
        alone = self._those(lambda part: part.must_be_alone)
        suspects = self._those(lambda part: not part.must_be_alone and part.suspect_limit > 0)
        plain = self._those(lambda part: not part.must_be_alone and not part.suspect_limit)
        has_fresh = self.reached < self.new_events
        if alone and (self._toss() or not (suspects or plain or has_fresh)):
            return self._take(alone[:1], self.max_events)
        room = room_for_due(
            self.max_events, has_due=bool(suspects), has_fresh=bool(plain) or has_fresh, coin=self._toss()
        )
        beside = going_together([part.as_row() for part in suspects])
        answer = self._take(suspects[: len(beside)], room)
        left = self.max_events - count(answer)
        answer += self._take(plain, room_for_due(left, has_due=bool(plain), has_fresh=has_fresh, coin=self._toss()))
        left = self.max_events - count(answer)
        if left and has_fresh:
            last = min(self.reached + left, self.new_events)
            answer.append(Part(self.reached + 1, last, deliveries=1))
            self.reached = last
        return answer

    def expire(self, answer: list[Part]) -> None:
        self.crashes.update(event for part in answer for event in part.events)
        for part in answer:
            kind = [each for each in answer if bool(each.suspect_limit) == bool(part.suspect_limit)]
            for piece in after_expiry(held(part, answer, count(kind)), self.limits):
                if piece.state is DeliveryState.EXHAUSTED:
                    self.dead.append(piece.first_offset)
                    self.proofs.append([event for each in answer for event in each.events])
                else:
                    self.waiting.append(waits(piece, part.deliveries))

    def release(self, answer: list[Part]) -> None:
        for part in answer:
            for piece in after_release(held(part, answer, len(part.events)), self.limits):
                if piece.state is DeliveryState.EXHAUSTED:
                    self.dead.append(piece.first_offset)
                else:
                    self.waiting.append(waits(piece, part.deliveries))

    def _those(self, are: Callable[[Part], bool]) -> list[Part]:
        return [part for part in self.waiting if are(part)]

    def _take(self, parts: list[Part], room: int) -> list[Part]:
        taken = []
        for part, (_, last) in zip(parts, fit([part.as_row() for part in parts], room), strict=False):
            self.waiting.remove(part)
            taken.append(replace(part, last=last, deliveries=part.deliveries + 1))
            if last < part.last:
                self.waiting.append(replace(part, first=last + 1))
        return taken

    def _toss(self) -> bool:
        return self.chance.random() < 0.5


def count(parts: Collection[Part]) -> int:
    return sum(len(part.events) for part in parts)


def held(part: Part, answer: list[Part], answer_count: int) -> HeldRange:
    # As the server knows it: an answer that turned out to carry one suspect and nothing else is not said to be alone.
    is_alone = len(answer) == 1 and (part.must_be_alone or (len(part.events) == 1 and part.deliveries == 1))
    return HeldRange(part.first, part.last, part.deliveries, part.failures, is_alone, part.suspect_limit, answer_count)


def waits(piece: Piece, deliveries: int) -> Part:
    return Part(
        piece.first_offset,
        piece.last_offset,
        deliveries,
        piece.failure_count,
        piece.suspect_limit,
        piece.is_alone,
    )
