"""Ending leases other than by a plain ack: each comes apart into pieces, in a constant number of statements."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from consumers.backoff import backoff_seconds
from consumers.conf import MAX_ERROR_CHARACTERS
from consumers.isolation import Limits, Piece
from consumers.models import ConsumerGroup
from consumers.services.leasing.rows import HeldRow
from consumers.statements import run
from consumers.states import Outcome

_jitter = random.Random()  # noqa: S311 - it only spreads timers


class Ending(NamedTuple):
    """A held delivery and what it comes apart into: at least one piece, in order."""

    held: HeldRow
    pieces: Sequence[Piece]
    error: str = ""


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
    firsts = [(ending, ending.pieces[0]) for ending in endings]
    others = [(ending, piece) for ending in endings for piece in ending.pieces[1:]]
    if others:
        run("add_pieces", **_columns(group, others))
    run("end_leases", **_columns(group, firsts), tokens=[ending.held.lease_token for ending in endings])
    _record(group, endings, outcome)


def _columns(group: ConsumerGroup, pieces: Sequence[tuple[Ending, Piece]]) -> dict[str, list[object]]:
    return {
        "delivery_ids": [ending.held.id for ending, _ in pieces],
        "first_offsets": [piece.first_offset for _, piece in pieces],
        "last_offsets": [piece.last_offset for _, piece in pieces],
        "states": [piece.state.value for _, piece in pieces],
        "are_alone": [piece.is_alone for _, piece in pieces],
        "failure_counts": [piece.failure_count for _, piece in pieces],
        "delays": [_delay(group, piece) for _, piece in pieces],
        "reasons": [piece.reason.value if piece.reason else "" for _, piece in pieces],
        "errors": [clean_error(piece.error or ending.error) for ending, piece in pieces],
    }


def _delay(group: ConsumerGroup, piece: Piece) -> float:
    if piece.delay is not None:
        return piece.delay
    return backoff_seconds(group.backoff_seconds, failure_count=piece.failure_count, jitter=_jitter.uniform(-1.0, 1.0))


def _record(group: ConsumerGroup, endings: Sequence[Ending], outcome: Outcome) -> None:
    """One row for each lease, or for each event that an ack named as failed."""
    told = [
        (ending, first, last, failures, error)
        for ending in endings
        for first, last, failures, error in _ranges_told(ending)
    ]
    run(
        "record_history",
        group_id=group.pk,
        outcome=outcome.value,
        partition_ids=[ending.held.partition_id for ending, *_ in told],
        rounds=[ending.held.round for ending, *_ in told],
        first_offsets=[first for _, first, *_ in told],
        last_offsets=[last for _, _, last, *_ in told],
        delivery_counts=[ending.held.delivery_count for ending, *_ in told],
        failure_counts=[failures for _, _, _, failures, _ in told],
        consumers=[ending.held.leased_by for ending, *_ in told],
        leased_ats=[ending.held.leased_at for ending, *_ in told],
        errors=[clean_error(error) for *_, error in told],
    )


def _ranges_told(ending: Ending) -> list[tuple[int, int, int, str]]:
    pieces = ending.pieces
    if all(piece.error is None for piece in pieces):
        return [(ending.held.first_offset, ending.held.last_offset, pieces[0].failure_count, ending.error)]
    return [(piece.first_offset, piece.last_offset, piece.failure_count, piece.error or "") for piece in pieces]
