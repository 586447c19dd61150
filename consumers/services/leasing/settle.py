"""Ending leases other than by a plain ack: each comes apart into pieces, in a constant number of statements."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from consumers.backoff import backoff_seconds
from consumers.conf import MAX_ERROR_CHARACTERS
from consumers.isolation import Limits, Piece
from consumers.models import ConsumerGroup
from consumers.services.leasing.lapsing import end_those_lapsed
from consumers.services.leasing.rows import HeldRow
from consumers.statements import run
from consumers.states import DeliveryState, Outcome

_jitter = random.Random()  # noqa: S311 - it only spreads timers


class Ending(NamedTuple):
    """A held delivery and what it comes apart into: at least one piece, in order.

    Attributes:
        is_failure: its events, or those that the pieces name, count as failed.
    """

    held: HeldRow
    pieces: Sequence[Piece]
    error: str = ""
    is_failure: bool = True


def limits_of(group: ConsumerGroup) -> Limits:
    return Limits(group.max_failures, group.max_deliveries)


def clean_error(error: str) -> str:
    """Cut a consumer's words to size; PostgreSQL's text has no NUL."""
    return error[:MAX_ERROR_CHARACTERS].replace("\x00", "\ufffd")


def settle(group: ConsumerGroup, endings: Sequence[Ending], outcome: Outcome) -> None:
    """Turn each held delivery into its pieces and write down how its lease ended.

    The caller is in a transaction and holds the deliveries and their partitions' offset rows.
    """
    if not endings:
        return
    added: Sequence[tuple[int]] = ()
    lapsed = [ending.held.id for ending in endings if ending.held.has_lapsed]
    if lapsed:
        endings = [_to_lapse(ending) if ending.held.has_lapsed else ending for ending in endings]
    firsts = [(ending, ending.pieces[0]) for ending in endings]
    others = [(ending, piece) for ending in endings for piece in ending.pieces[1:]]
    if others:
        added = run("add_pieces", **_columns(group, others))
    run("end_leases", **_columns(group, firsts), tokens=[ending.held.lease_token for ending in endings])
    _record(group, endings, outcome)
    if lapsed:
        end_those_lapsed(group, [*lapsed, *(row[0] for row in added)])


def _to_lapse(ending: Ending) -> Ending:
    """Let what has expired wait for nothing, and become no dead letter: it is about to end."""
    pieces = [replace(piece, state=DeliveryState.WAITING, reason=None, delay=0.0) for piece in ending.pieces]
    return ending._replace(pieces=pieces)


def _columns(group: ConsumerGroup, pieces: Sequence[tuple[Ending, Piece]]) -> dict[str, list[object]]:
    return {
        "delivery_ids": [ending.held.id for ending, _ in pieces],
        "first_offsets": [piece.first_offset for _, piece in pieces],
        "last_offsets": [piece.last_offset for _, piece in pieces],
        "states": [piece.state.value for _, piece in pieces],
        "are_alone": [piece.is_alone for _, piece in pieces],
        "suspect_limits": [piece.suspect_limit for _, piece in pieces],
        "failure_counts": [piece.failure_count for _, piece in pieces],
        "delays": [_delay(group, piece) for _, piece in pieces],
        "reasons": [piece.reason.value if piece.reason else "" for _, piece in pieces],
        "errors": [clean_error(piece.error or ending.error) for ending, piece in pieces],
    }


def _delay(group: ConsumerGroup, piece: Piece) -> float:
    if piece.delay is not None:
        return piece.delay
    return backoff_seconds(group.backoff_seconds, failure_count=piece.failure_count, jitter=_jitter.uniform(-1.0, 1.0))


class _Told(NamedTuple):
    """What the history says of a lease, or of one event of it; the events that it finished stand with its first row."""

    first_offset: int
    last_offset: int
    failure_count: int
    error: str
    failed_count: int
    finished_count: int = 0


def _record(group: ConsumerGroup, endings: Sequence[Ending], outcome: Outcome) -> None:
    """One row for each lease, or for each event that an ack named as failed."""
    rows = [(ending.held, told) for ending in endings for told in _ranges_told(ending)]
    run(
        "record_history",
        group_id=group.pk,
        outcome=outcome.value,
        partition_ids=[held.partition_id for held, _ in rows],
        rounds=[held.round for held, _ in rows],
        first_offsets=[told.first_offset for _, told in rows],
        last_offsets=[told.last_offset for _, told in rows],
        failed_counts=[told.failed_count for _, told in rows],
        finished_counts=[told.finished_count for _, told in rows],
        delivery_counts=[held.delivery_count for held, _ in rows],
        failure_counts=[told.failure_count for _, told in rows],
        consumers=[held.leased_by for held, _ in rows],
        leased_ats=[held.leased_at for held, _ in rows],
        errors=[clean_error(told.error) for _, told in rows],
    )


def _ranges_told(ending: Ending) -> list[_Told]:
    held, pieces = ending.held, ending.pieces
    if all(piece.error is None for piece in pieces):
        failed = held.event_count if ending.is_failure else 0
        return [_Told(held.first_offset, held.last_offset, pieces[0].failure_count, ending.error, failed)]
    told = [_Told(piece.first_offset, piece.last_offset, piece.failure_count, piece.error or "", 1) for piece in pieces]
    # An ack named these, one by one: all others of the lease are done.
    return [told[0]._replace(finished_count=held.event_count - len(told)), *told[1:]]
