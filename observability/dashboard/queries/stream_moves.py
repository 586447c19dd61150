"""The moves of a stream, as plain values."""

from dataclasses import dataclass
from datetime import datetime

from streams.models import MoveState, Stream

# A stream moves seldom: these are all of its moves, or the newest.
SHOWN_MOVES = 20


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A move: from where to where, and how far it has come.

    Attributes:
        step: 1 to 3 of the three that it takes.
    """

    id: int
    source: str
    target: str
    state: str
    step: int
    problem: str
    asked_by: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_under_way(self) -> bool:
        return self.finished_at is None


_STEPS = {
    MoveState.PLANNED: 0,
    MoveState.PREPARED: 1,
    MoveState.FENCING: 2,
    MoveState.MOVED: 3,
    MoveState.ABORTED: 3,
}


def list_move_rows(stream: Stream) -> list[MoveRow]:
    """Return the newest moves of a stream, the last one first."""
    return [
        MoveRow(
            id=each.pk,
            source=each.source,
            target=each.target,
            state=each.state,
            step=_STEPS[MoveState(each.state)],
            problem=each.problem,
            asked_by=each.asked_by,
            started_at=each.started_at,
            finished_at=each.finished_at,
        )
        for each in stream.moves.order_by("-pk")[:SHOWN_MOVES]
    ]
