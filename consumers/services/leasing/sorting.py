"""Having fresh events sorted on their way to a lease, for groups that must look at them first (consumers/sorting.py).

The events are read before anything is locked. What they were sorted into counts only if the partition still stands
where it stood then: if not, somebody else has sorted them meanwhile, and the next look begins from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from consumers.conf import (
    MAX_LEASE_BYTES,
    MAX_LEASE_DELIVERIES,
    MAX_LEASE_EVENTS,
    MAX_SORTED_AT_ONCE,
    MIN_SORTED_AT_ONCE,
)
from consumers.filters import Filter
from consumers.models import ConsumerGroup, Ordering
from consumers.services.leasing.ahead import Ahead
from consumers.services.leasing.key_turns import hold_turns
from consumers.services.leasing.rows import LeasedRow, SkippedRange, Taken
from consumers.services.leasing.sharing import MAX_FRESH_PARTITIONS
from consumers.services.leasing.supply import Supply
from consumers.services.wakeup import wake_consumers
from consumers.sorting import Fate, Piece, Room, Rules, Sorted, sort
from consumers.statements import run
from streams.log import get_log
from streams.log.protocol import ReadResult
from streams.lookup import StreamInfo

# One look reads so many, also where a single event is asked for: its key may have many in a row.
_FEWEST_BY_KEY = 200


class _Made(NamedTuple):
    """A delivery that was made and leased; without one only the round."""

    id: int | None
    first_offset: int
    last_offset: int
    round: int
    lease_expires_at: datetime


def rules_of(group: ConsumerGroup) -> Rules:
    return Rules(Filter.of(group.filter), is_by_key=group.keeps_key_order)


def look_ahead(stream: StreamInfo, group: ConsumerGroup, supply: Supply, *, room: int, is_first: bool = True) -> Supply:
    """Read what must be sorted before so many events can be handed out; most groups have nothing like that.

    Args:
        is_first: of the looks of one lease; the next ones come where that had nothing to hand out.
    """
    rules = rules_of(group)
    fresh = supply.fresh_partition_ids
    to_sort = [each for each in fresh if not rules.are_none or supply.bounds[each].timed_through > supply.reached[each]]
    if not to_sort:
        return supply
    held_ids = _held_by_order(group, supply, to_sort)
    ahead: list[Ahead] = []
    left = MAX_SORTED_AT_ONCE
    if rules.filter is None and is_first:
        left = min(MAX_SORTED_AT_ONCE, max(MIN_SORTED_AT_ONCE, _read_ahead(rules, room)))
    partitions = {partition.id: partition for partition in stream.partitions}
    chosen = [each for each in to_sort if each not in held_ids][:MAX_FRESH_PARTITIONS]
    # Of each some: where one is full of what is held up, another one may not be.
    most = -(-left // max(1, len(chosen))) if rules.is_by_key else left
    for partition_id in chosen:
        if left <= 0:
            break
        after = supply.reached[partition_id]
        read = get_log().read(
            partitions[partition_id], after=after, max_events=min(left, most), max_bytes=MAX_LEASE_BYTES
        )
        ahead.append(Ahead(partition_id, after, _first_offset(read, after), read.events))
        left -= len(read.events)
    return replace(supply, sorted_ids=frozenset(to_sort), held_ids=held_ids, ahead=tuple(ahead))


def _first_offset(read: ReadResult, after: int) -> int:
    """Of the first event that was read; where retention has left none, of the next one to come."""
    if read.offsets:
        return read.offsets[0]
    return after + 1 if read.gap is None else read.gap.last_offset + 1


def _held_by_order(group: ConsumerGroup, supply: Supply, to_sort: Sequence[int]) -> frozenset[int]:
    """Those in which something that was handed out must be finished first: what was read of them, nobody could sort."""
    if group.ordering != Ordering.PARTITION:
        return frozenset()
    heads = [supply.bounds[each].head_offset for each in to_sort]
    ready = run(
        "find_ready_partitions",
        group_id=group.pk,
        max_rows=len(to_sort),
        partition_ids=list(to_sort),
        head_offsets=heads,
    )
    return frozenset(to_sort) - {partition_id for (partition_id,) in ready}


def _read_ahead(rules: Rules, room: int) -> int:
    """How many events to read so that so many are found to hand out, very likely."""
    if rules.filter:
        return MAX_SORTED_AT_ONCE
    # Most keys have one of these, and what is read is read again until it is sorted.
    return max(_FEWEST_BY_KEY, room * 2) if rules.is_by_key else room


def take_sorted(taken: Taken, supply: Supply) -> None:
    """Have what was read sorted, partition by partition, until the lease has all that it has room for."""
    for ahead in supply.ahead:
        if taken.left <= 0 or len(taken.rows) >= MAX_LEASE_DELIVERIES:
            return
        lease_sorted(taken, ahead, now=supply.pulse.now)


def lease_sorted(taken: Taken, ahead: Ahead, *, now: datetime, in_order: bool = False) -> None:
    """Have events of one partition sorted, and lease what is handed out of them; the caller is in a transaction."""
    if ahead.is_overtaken or not (ahead.events or ahead.is_behind_a_gap):
        return
    group = taken.terms.group
    room = Room(taken.left, MAX_LEASE_DELIVERIES - len(taken.rows), is_in_order=in_order)
    rules = rules_of(group)
    turns = hold_turns(taken, ahead) if rules.is_by_key else None
    if rules.is_by_key and turns is None:
        return
    done = sort(ahead.decoded, rules, first_offset=ahead.first_offset, room=room, now=now, turns=turns)
    ahead.is_stuck = done.is_stuck
    if done.reached == ahead.after:
        return
    rows = [_Made(*row) for row in run("lease_sorted", **_terms(taken, ahead, done), in_order=in_order)]
    if not rows:
        ahead.is_overtaken = True
        return
    if ahead.is_behind_a_gap:
        skipped = SkippedRange(ahead.partition_id, rows[0].round, ahead.after + 1, ahead.first_offset - 1)
        taken.skipped.append(skipped)
    taken.rows += [_leased(ahead.partition_id, row, row.id) for row in rows if row.id is not None]
    if done.passed:
        run("advance_offsets", group_id=group.pk, partition_ids=[ahead.partition_id])
    if done.count(Fate.LATER):
        # Whoever waits for this group has a new time to wait for.
        wake_consumers([ahead.partition_id])
    ahead.advance(done.reached)


def _terms(taken: Taken, ahead: Ahead, done: Sorted) -> dict[str, object]:
    delivered = [piece for piece in done.pieces if piece.is_delivered]
    lapsed = [
        (first, min(first + MAX_LEASE_EVENTS - 1, piece.last_offset))
        for piece in done.pieces
        if piece.fate is Fate.EXPIRED
        for first in range(piece.first_offset, piece.last_offset + 1, MAX_LEASE_EVENTS)
    ]
    return {
        "group_id": taken.terms.group.pk,
        "partition_id": ahead.partition_id,
        "token": taken.terms.token,
        "consumer": taken.terms.consumer,
        "ack_wait": taken.terms.ack_wait_seconds,
        "after": ahead.after,
        "first_offset": ahead.first_offset,
        "reached": done.reached,
        "by_key": taken.terms.group.keeps_key_order,
        # Others may follow, if there is room for more.
        "is_alone": not taken.rows and taken.left == 1,
        "filtered": done.count(Fate.FILTERED),
        "expired": done.count(Fate.EXPIRED),
        **_columns(delivered),
        "lapsed_first_offsets": [first for first, _ in lapsed],
        "lapsed_last_offsets": [last for _, last in lapsed],
    }


def _columns(pieces: Sequence[Piece]) -> dict[str, list[object]]:
    return {
        "first_offsets": [piece.first_offset for piece in pieces],
        "last_offsets": [piece.last_offset for piece in pieces],
        "are_held_up": [piece.fate is Fate.HELD_UP for piece in pieces],
        "available_ats": [piece.available_at for piece in pieces],
        # What waits for a redrive of its key is for now.
        "due_ats": [piece.due_at for piece in pieces],
        "event_expires_ats": [piece.expires_at for piece in pieces],
        "key_hashes": [piece.key_hash for piece in pieces],
    }


def _leased(partition_id: int, row: _Made, delivery_id: int) -> LeasedRow:
    return LeasedRow(
        id=delivery_id,
        partition_id=partition_id,
        round=row.round,
        dead_letter_id=None,
        first_offset=row.first_offset,
        last_offset=row.last_offset,
        delivery_count=1,
        failure_count=0,
        lease_expires_at=row.lease_expires_at,
    )
