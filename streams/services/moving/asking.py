"""Moves that somebody asks for, and those that are ended before they have come about."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.acting import current_actor
from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from streams.conf import ABORTED_MOVE_SECONDS, POSTGRES
from streams.errors import EngineRefuses, LogUnavailable, MoveUnderWay, NoMoveUnderWay
from streams.log import get_routed_log
from streams.lookup import info_of
from streams.models import MoveState, Stream, StreamMove
from streams.services.lifecycle import hold_stream
from streams.services.moving.plan import MovePlan, bare, foresee_move, next_epoch_number, spec_of
from streams.services.places import leave_planned_place

logger = logging.getLogger(__name__)


def ask_for_move(*, stream: Stream, target: str, allow_weak: bool) -> StreamMove:
    """Begin a move, if nothing stands in its way; a worker carries it out, or whoever calls `carry_out`.

    Raises:
        UnknownEngine, MoveRefused, MoveUnderWay, StreamNotFound
    """
    plan = foresee_move(stream=stream, target=target, allow_weak=allow_weak)
    return begin_move(stream=stream, plan=plan, allow_weak=allow_weak)


def begin_move(*, stream: Stream, plan: MovePlan, allow_weak: bool) -> StreamMove:
    """Begin a move that was foreseen a moment ago; no engine is asked.

    Raises:
        MoveRefused: something stands in its way.
        MoveUnderWay: somebody else was quicker.
        StreamNotFound
    """
    plan.check()
    target = plan.target
    with transaction.atomic():
        # Nobody adds partitions or deletes it meanwhile, and nobody begins another move.
        stream = hold_stream(stream, None)
        if stream.engine != plan.source or StreamMove.objects.filter(stream=stream, finished_at=None).exists():
            raise MoveUnderWay(f"{stream.name} is being moved. Nothing was changed.")
        number = next_epoch_number(stream)
        topic = ""
        if target != POSTGRES:
            spec = spec_of(stream, epoch_number=number, allow_weak=allow_weak)
            # Written down before it is made, so that it can be dropped whatever happens.
            topic = get_routed_log().topic_for(target, bare(info_of(stream).partitions), spec)
        move = StreamMove.objects.create(
            stream=stream,
            source=stream.engine,
            target=target,
            allow_weak=allow_weak,
            epoch_number=number,
            topic=topic,
            asked_by=current_actor().email,
        )
        record(
            AuditAction.STREAM_MOVE_ASKED,
            stream=(stream.pk, stream.name),
            before={"engine": move.source},
            after={"engine": move.target, "allow_weak": allow_weak},
        )
    return move


def find_move_under_way(stream: Stream) -> StreamMove:
    """Return the move of a stream that has not ended.

    Raises:
        NoMoveUnderWay
    """
    move = StreamMove.objects.select_related("stream").filter(stream=stream, finished_at=None).first()
    if move is None:
        raise NoMoveUnderWay(f"No move of {stream.name} is under way. Nothing was changed.")
    return move


def abort_move(*, move: StreamMove) -> StreamMove:
    """End a move that has not come about: the stream stays where it is, and takes appends there again.

    Raises:
        NoMoveUnderWay
        LogUnavailable, EngineRefuses: its old place may be closed, and cannot be opened now. The move stands where it
            stood; try again.
    """
    if move.state == MoveState.FENCING:
        # Whoever works at it finds out that it is not theirs any more, before it changes anything for good.
        StreamMove.objects.filter(pk=move.pk, finished_at=None).update(worker=None, worked_until=None)
        get_routed_log().lift_fence(info_of(move.stream).partitions)
    end_move(move, problem="It was ended by hand.")
    return move


@transaction.atomic
def end_move(move: StreamMove, *, problem: str) -> None:
    """Write down that a move will not come about, and that its place is to be dropped.

    Raises:
        NoMoveUnderWay: it has ended meanwhile.
    """
    now = timezone.now()
    leave_planned_place(move.stream, now=now)
    ended = StreamMove.objects.filter(pk=move.pk, finished_at=None).update(
        state=MoveState.ABORTED, problem=problem, finished_at=now, worker=None, worked_until=None
    )
    if not ended:
        raise NoMoveUnderWay(f"The move of {move.stream.name} has ended meanwhile.")
    move.refresh_from_db()
    record(
        AuditAction.STREAM_MOVE_ABORTED,
        stream=(move.stream.pk, move.stream.name),
        before={"engine": move.source},
        after={"engine": move.target, "problem": problem},
    )


def reopen_after_aborted_moves() -> int:
    """Open the places once more that moves were to leave which were ended a moment ago; return how many.

    A worker that hung meanwhile may have closed one afterwards.
    """
    since = timezone.now() - timedelta(seconds=ABORTED_MOVE_SECONDS)
    moves = StreamMove.objects.select_related("stream").filter(state=MoveState.ABORTED, finished_at__gt=since)
    opened = 0
    for move in moves.exclude(source=POSTGRES):
        if move.stream.engine != move.source or move.stream.moves.filter(finished_at=None).exists():
            continue
        try:
            get_routed_log().lift_fence(info_of(move.stream).partitions)
            opened += 1
        except (LogUnavailable, EngineRefuses) as error:
            logger.warning("the place of %s may still be closed: %s", move.stream.name, error.detail)
    return opened
