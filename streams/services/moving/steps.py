"""Carrying out a move: each step is written down when it is done, and harmless when it is done again.

    PLANNED -- the new place is made --> PREPARED -- PostgreSQL is left: one transaction ----------------> MOVED
                                          |  ^
                                  written | | the old place does not close: it is opened again
                                     down v |
                                        FENCING -- the old place takes nothing more: one transaction --> MOVED

Whoever works at a move says so for a few seconds at a time. One that is killed leaves it as it is written, and the next
one goes on; one that hung and wakes up finds out in the last transaction that the move is another's.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from streams.conf import MOVE_LEASE_SECONDS, MOVE_RETRY_SECONDS, POSTGRES
from streams.errors import EngineRefuses, LogUnavailable, MoveRefused, MoveUnderWay, StreamNotFound
from streams.log import get_routed_log
from streams.log.protocol import PartitionRef
from streams.lookup import forget_streams, info_of
from streams.models import Epoch, MoveState, Partition, Stream, StreamMove
from streams.services.lifecycle import hold_stream
from streams.services.moving.asking import end_move
from streams.services.moving.plan import bare, refusals_of_settings, spec_of

logger = logging.getLogger(__name__)

Tell = Callable[[StreamMove], None]


def _tell_nobody(move: StreamMove) -> None:
    """Nobody wants to know."""


def carry_out(move: StreamMove, *, tell: Tell = _tell_nobody, is_taken_over: bool = False) -> StreamMove:
    """Go on with a move until it has ended, or something stands in the way; return it as it stands then.

    Args:
        tell: told of each state that it comes to.
        is_taken_over: also where another one seems to work at it.

    Raises:
        MoveUnderWay: another one works at it.
    """
    worker = uuid4()
    if not _take(move, worker, is_taken_over=is_taken_over):
        raise MoveUnderWay(f"Somebody else works at the move of {move.stream.name}.")
    with _kept(move, worker):
        try:
            while move.finished_at is None:
                move.refresh_from_db()
                tell(move)
                _STEPS[MoveState(move.state)](move, worker)
                move.refresh_from_db()
        except StreamMove.DoesNotExist as error:
            raise StreamNotFound from error
        except (EngineRefuses, MoveRefused) as error:
            _stop(move, worker, error.detail)
        except LogUnavailable as error:
            _put_off(move, worker, error.detail)
        except MoveUnderWay:
            raise
        except Exception:
            # Whatever it is: appends are not to wait for it.
            _put_off(move, worker, "It failed, and the log of this server says why.")
            raise
    move.refresh_from_db()
    tell(move)
    return move


def carry_on_moves() -> int:
    """Go on with all moves that nobody works at; return how many have ended by that."""
    free = Q(worked_until=None) | Q(worked_until__lt=Now())
    moves = StreamMove.objects.select_related("stream").filter(free, finished_at=None)
    ended = 0
    for move in moves.order_by("pk"):
        try:
            ended += carry_out(move).finished_at is not None
        except MoveUnderWay:
            continue
    return ended


# --- whose it is ---


def _take(move: StreamMove, worker: UUID, *, is_taken_over: bool) -> bool:
    # The database's clock alone: those of who works at it and of who would take it over may differ.
    free = Q() if is_taken_over else Q(worked_until=None) | Q(worked_until__lt=Now())
    until = Now() + timedelta(seconds=MOVE_LEASE_SECONDS)
    taken = StreamMove.objects.filter(free, pk=move.pk, finished_at=None).update(worker=worker, worked_until=until)
    return bool(taken)


@contextmanager
def _kept(move: StreamMove, worker: UUID) -> Iterator[None]:
    """Keep a move for this worker while the block runs, and let it go in the end."""
    own = StreamMove.objects.filter(pk=move.pk, worker=worker)
    ended = threading.Event()

    def keep() -> None:
        try:
            while not ended.wait(MOVE_LEASE_SECONDS / 4):
                own.update(worked_until=Now() + timedelta(seconds=MOVE_LEASE_SECONDS))
        finally:
            connection.close()

    keeper = threading.Thread(target=keep, name="eventflow-move", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        # Whoever put it off has said until when.
        own.filter(problem="").update(worked_until=None)


def _stop(move: StreamMove, worker: UUID, problem: str) -> None:
    """End a move that cannot come about; a place that may be closed is opened before."""
    if not StreamMove.objects.filter(pk=move.pk, worker=worker, finished_at=None).exists():
        return
    if move.state == MoveState.FENCING:
        get_routed_log().lift_fence(info_of(move.stream).partitions)
    end_move(move, problem=problem)


def _put_off(move: StreamMove, worker: UUID, problem: str) -> None:
    """Write down why a move does not go on now; appends go on meanwhile, if its old place can be opened."""
    logger.warning("the move of %s to %s has to wait: %s", move.stream.name, move.target, problem)
    state, seconds = move.state, MOVE_RETRY_SECONDS
    if not StreamMove.objects.filter(pk=move.pk, worker=worker, finished_at=None).exists():
        # Whoever has it now relies on the place being closed.
        return
    if move.state == MoveState.FENCING:
        try:
            get_routed_log().lift_fence(info_of(move.stream).partitions)
            state = MoveState.PREPARED
        except (LogUnavailable, EngineRefuses):
            # It may be closed: that is not to last.
            seconds = 0.0
    until = Now() + timedelta(seconds=seconds)
    StreamMove.objects.filter(pk=move.pk, worker=worker).update(state=state, problem=problem, worked_until=until)


# --- the steps ---


def _prepare(move: StreamMove, worker: UUID) -> None:
    topic_id = ""
    if move.target != POSTGRES:
        spec = spec_of(move.stream, epoch_number=move.epoch_number, allow_weak=move.allow_weak)
        epochs = get_routed_log().ensure_in(move.target, bare(info_of(move.stream).partitions), spec)
        topic_id = next(iter(epochs.values())).topic_id
    _note(move, worker, MoveState.PREPARED, topic_id=topic_id)


def _leave(move: StreamMove, worker: UUID) -> None:
    if move.source != POSTGRES:
        # Appends that take long wait from then on: not for somebody who does not answer.
        if refusals := get_routed_log().foresee_fence(info_of(move.stream).partitions):
            raise EngineRefuses(" ".join(refusals))
        # Written down before the place is closed, so that whoever is refused there knows why.
        _note(move, worker, MoveState.FENCING)
        return
    with transaction.atomic():
        stream = _hold(move, worker)
        partitions = info_of(stream).partitions
        rows = Partition.objects.select_for_update(no_key=True).filter(stream=stream).order_by("pk")
        heads = {row.pk: row.head_offset for row in rows}
        _switch(stream, move, partitions, heads)
        Partition.objects.filter(stream=stream).update(is_sealed=True)
    forget_streams()


def _fence(move: StreamMove, worker: UUID) -> None:
    # In the transaction it could not be asked.
    partitions = info_of(move.stream).partitions
    heads = get_routed_log().fence(partitions)
    with transaction.atomic():
        stream = _hold(move, worker)
        rows = list(Partition.objects.select_for_update(no_key=True).filter(stream=stream).order_by("pk"))
        _switch(stream, move, partitions, heads)
        for row in rows:
            row.head_offset = max(heads[row.pk], row.earliest_offset - 1)
            row.is_sealed = move.target != POSTGRES
            row.save(update_fields=["head_offset", "is_sealed"])
    forget_streams()
    _look_behind(move, partitions, heads)


def _look_behind(move: StreamMove, partitions: Sequence[PartitionRef], heads: Mapping[int, int]) -> None:
    """Look whether the place took anything after its end was known, which no leader that knew of the fence does."""
    try:
        ends = get_routed_log().fence(partitions)
    except (EngineRefuses, LogUnavailable) as error:
        logger.warning("whether the old place of %s stays closed nobody can tell: %s", move.stream.name, error.detail)
        return
    behind = {each.number: ends[each.id] - heads[each.id] for each in partitions if ends[each.id] > heads[each.id]}
    if behind:
        told = ", ".join(f"partition {number}: {count}" for number, count in behind.items())
        problem = f"The old place took events after its end was known. They are not of the stream: {told}."
        logger.error("%s: %s", move.stream.name, problem)
        StreamMove.objects.filter(pk=move.pk).update(problem=problem)


_STEPS: Mapping[MoveState, Callable[[StreamMove, UUID], None]] = {
    MoveState.PLANNED: _prepare,
    MoveState.PREPARED: _leave,
    MoveState.FENCING: _fence,
}


def _note(move: StreamMove, worker: UUID, state: MoveState, **fields: str) -> None:
    """Write down that a step is done.

    Raises:
        MoveUnderWay: the move is another's by now, or has ended.
    """
    own = StreamMove.objects.filter(pk=move.pk, worker=worker, state=move.state)
    if not own.update(state=state, problem="", **fields):
        raise MoveUnderWay(f"Somebody else works at the move of {move.stream.name}.")


def _hold(move: StreamMove, worker: UUID) -> Stream:
    """Hold a stream and its move in the transaction that lets it lie elsewhere.

    Raises:
        MoveUnderWay: the move is another's by now, or has ended.
        MoveRefused: the stream was changed meanwhile, so that its new engine would not do.
        StreamNotFound
    """
    stream = hold_stream(move.stream, None)
    own = StreamMove.objects.select_for_update().filter(pk=move.pk, worker=worker, state=move.state)
    if own.first() is None:
        raise MoveUnderWay(f"Somebody else works at the move of {move.stream.name}.")
    if refusals := list(refusals_of_settings(stream, move.target)):
        raise MoveRefused(" ".join(refusals))
    return stream


def _switch(stream: Stream, move: StreamMove, partitions: Sequence[PartitionRef], heads: Mapping[int, int]) -> None:
    """End the stretches of a stream's partitions at these heads, and begin the next ones behind them."""
    new = []
    for partition in partitions:
        head = heads[partition.id]
        if partition.epochs:
            Epoch.objects.filter(partition_id=partition.id, last_offset=None).update(last_offset=head)
        else:
            new.append(Epoch(partition_id=partition.id, number=1, engine=POSTGRES, first_offset=1, last_offset=head))
        new.append(
            Epoch(
                partition_id=partition.id,
                number=move.epoch_number,
                engine=move.target,
                topic=move.topic,
                topic_id=move.topic_id,
                first_offset=head + 1,
                # Kafka counts from 0 in a new topic.
                base=0 if move.target == POSTGRES else head + 1,
            )
        )
    Epoch.objects.bulk_create(new)
    stream.engine = move.target
    stream.has_epochs = True
    stream.save(update_fields=["engine", "has_epochs", "updated_at"])
    StreamMove.objects.filter(pk=move.pk).update(
        state=MoveState.MOVED, problem="", finished_at=timezone.now(), worker=None, worked_until=None
    )
    record(
        AuditAction.STREAM_MOVED,
        stream=(stream.pk, stream.name),
        before={"engine": move.source},
        after={
            "engine": move.target,
            "head_offsets": {str(partition.number): heads[partition.id] for partition in partitions},
        },
    )
