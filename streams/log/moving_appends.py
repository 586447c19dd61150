"""Appends to engines beside PostgreSQL, from which a stream may be moved away while they are under way.

A place that is being closed refuses what comes (PlaceFenced). Whoever is refused waits until it is known where the
partitions lie then, and goes on there with what is not stored. Two things could deceive: a record that was sent twice,
stored the first time and refused the second; and one that came to all replicas only after somebody has looked where the
place ends. So what was refused is looked for behind where the place ended before, and what took long is held against
the end that is known then.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from accounts.waits import pause, running_loop
from streams.conf import FENCE_LOOK_SECONDS, FENCE_PATIENCE_SECONDS, FENCE_SETTLE_SECONDS, POSTGRES
from streams.errors import AppendNotStored, AppendOutcomeUnknown, LogUnavailable, PlaceFenced
from streams.log.current_epochs import CurrentEpochs
from streams.log.found_before import Left, count_places, events_of, places_of, put_together, without
from streams.log.postgres import PostgresLog
from streams.log.protocol import (
    JUST_NOW,
    Appended,
    AppendedRange,
    Epoch,
    Found,
    PartitionAppend,
    PartitionRef,
    Receipt,
    SendingTime,
    TaggedLog,
)
from streams.log.slices import open_place, place_in

Returned = TypeVar("Returned")
Lend = Callable[[str], AbstractContextManager[TaggedLog]]
Note = Callable[[Sequence[PartitionAppend], Sequence[AppendedRange]], None]

# A place that refuses and is not being closed has a limit of its own.
_ROUNDS: Final = 6
# To look what is in a place that goes on, up to where it ends for good, takes about half of it.
_LOOK_SECONDS: Final = 1.0
_REFUSED: Final = "The engine {} does not take these events. Nothing was stored."
_LATE: Final = "The stream was being moved, and it took too long. Nobody knows whether the events were stored; retry."
_DOUBTFUL: Final = (
    "The stream was being moved. Events like these are there, and nobody knows whether they are those of this request."
)


class _Behind(Exception):
    """What was stored lies behind the end of its place, and so is not of the stream; `now`: where partitions lie."""

    def __init__(self, now: Mapping[int, PartitionRef]) -> None:
        super().__init__("stored behind the end")
        self.now = now


class MovingAppends:
    """Appends to one engine at a time, wherever the partitions lie by then.

    Args:
        lend: gives the engine of an alias for a call.
        note: told what was stored, once it is known to be of the stream.
    """

    def __init__(self, *, lend: Lend, note: Note, postgres: PostgresLog, current: CurrentEpochs) -> None:
        self._lend = lend
        self._note = note
        self._postgres = postgres
        self._current = current

    # --- without a tag -------------------------------------------------------------------------------

    async def append(self, appends: Sequence[PartitionAppend]) -> Appended:
        """Do what `Log.append_async` does for partitions that lie elsewhere, or did."""
        found: dict[int, Found] = {}
        try:
            for _ in range(_ROUNDS):
                left = without(appends, found)
                if not left:
                    return Appended(put_together(appends, found, []))
                engine = left[0].append.partition.engine
                # Streams that lay in one engine may lie in several now.
                here = [each for each in left if each.append.partition.engine == engine]
                try:
                    ranges = await self._append_to(engine, [each.append for each in here])
                except PlaceFenced as fenced:
                    now = await self._places_or_none(appends)
                    if now is not None:
                        appends = [each._replace(partition=now[each.partition.id]) for each in appends]
                    found |= await self._find_refused(here, now or {}, fenced)
                    if now is None:
                        raise
                except _Behind as behind:
                    appends = [each._replace(partition=behind.now[each.partition.id]) for each in appends]
                else:
                    if here == left:
                        return Appended(put_together(appends, found, ranges))
                    found |= dict(zip(places_of(here), events_of(ranges), strict=True))
        except Exception as error:
            if found and not isinstance(error, AppendOutcomeUnknown):
                raise AppendOutcomeUnknown from error
            raise
        if found:
            raise AppendOutcomeUnknown(_LATE)
        raise AppendNotStored(_REFUSED.format(appends[0].partition.engine))

    async def _append_to(self, engine: str, appends: Sequence[PartitionAppend]) -> Sequence[AppendedRange]:
        if engine == POSTGRES:
            return (await self._postgres.append_async(appends)).ranges
        began = time.monotonic()
        with self._lend(engine) as log:
            ranges = (await log.append_async([_open(each) for each in appends])).ranges
        await self._check_the_end(appends, ranges, began=began)
        self._note(appends, ranges)
        return ranges

    async def _find_refused(
        self, left: Sequence[Left], now: Mapping[int, PartitionRef], fenced: PlaceFenced
    ) -> dict[int, Found]:
        """Return what is there of appends that a fence has refused, by the events' places in the request.

        Raises:
            AppendOutcomeUnknown: something is there of which nobody was told: it may be theirs. Or nobody can look.
        """
        found: dict[int, Found] = {}
        for each, stored, since in zip(left, fenced.stored, fenced.since, strict=True):
            before = each.append.partition
            place = _same_place(before, now.get(before.id, before))
            try:
                there = await _beside_the_loop(partial(self._find_records, place, each.append.records, since))
            except LogUnavailable as error:
                raise AppendOutcomeUnknown from error
            told = {index: Found(*event) for index, event in enumerate(stored)}
            if {index: event.offset for index, event in there.items()} != {
                index: event.offset for index, event in told.items()
            }:
                raise AppendOutcomeUnknown(_DOUBTFUL)
            found |= {each.places[index]: event for index, event in told.items()}
        return found

    def _find_records(self, place: PartitionRef, records: Sequence[bytes], since: int) -> Mapping[int, Found]:
        with self._lend(place.engine) as log:
            return log.find_records(place, records, since=since)

    # --- with a tag ----------------------------------------------------------------------------------

    async def append_tagged(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None,
        receipt: Receipt,
        sending_time: SendingTime,
    ) -> Appended:
        """Append once, whatever tries with the same tag have stored wherever the partitions lay.

        In PostgreSQL the receipt is completed with the events: then the answer has a body.

        Args:
            since: of a later try, as for `TaggedLog.append_tagged`.
            receipt: claimed before.
            sending_time: an engine that keeps no receipts is sent nothing when it is over. A move may take longer: then
                it begins anew, with what is left.
        """
        is_in_doubt, found = False, dict[int, Found]()
        # Where something of the request may be: an earlier try was anywhere, this one where it has sent to.
        is_later_try, sent_to = since is not None, set[tuple[int, int]]()
        try:
            for _ in range(_ROUNDS):
                if since is not None:
                    found = await _beside_the_loop(partial(self._find_tagged, appends, tag, since))
                left = without(appends, found)
                if not left:
                    return Appended(put_together(appends, found, []))
                engine = left[0].append.partition.engine
                if engine == POSTGRES:
                    return await self._complete(appends, found, [each.append for each in left], receipt)
                places = {_place_number(each.append.partition) for each in left}
                looks = is_later_try or not places.isdisjoint(sent_to)
                if is_in_doubt and time.monotonic() > sending_time.until - (_LOOK_SECONDS if looks else 0.0):
                    # Else somebody may take it over before these events arrive.
                    await sending_time.renew()
                sent_to |= places
                try:
                    ranges = await self._append_tagged_to(
                        engine, left, tag, since if looks else None, sending_time.until
                    )
                except PlaceFenced as fenced:
                    is_in_doubt = True
                    if since is None:
                        since = {each.append.partition.id: at for each, at in zip(left, fenced.since, strict=True)}
                    now = await self._places_of(appends)
                except _Behind as behind:
                    is_in_doubt = True
                    since, now = since or dict.fromkeys(behind.now, JUST_NOW), behind.now
                else:
                    return Appended(put_together(appends, found, ranges))
                appends = [each._replace(partition=now[each.partition.id]) for each in appends]
        except Exception as error:
            if (is_in_doubt or found) and not isinstance(error, AppendOutcomeUnknown):
                raise AppendOutcomeUnknown from error
            raise
        raise AppendOutcomeUnknown(_LATE)

    async def _append_tagged_to(
        self, engine: str, left: Sequence[Left], tag: bytes, since: Mapping[int, int] | None, send_until: float
    ) -> Sequence[AppendedRange]:
        appends = [each.append for each in left]
        began = time.monotonic()
        with self._lend(engine) as log:
            sent = [_open(each) for each in appends]
            stored = await log.append_tagged_async(
                sent, tag=tag, since=since, places=places_of(left), send_until=send_until
            )
        await self._check_the_end(appends, stored.ranges, began=began)
        self._note(appends, stored.ranges)
        return stored.ranges

    def _find_tagged(
        self, appends: Sequence[PartitionAppend], tag: bytes, since: Mapping[int, int]
    ) -> dict[int, Found]:
        """Return what is there in stretches that have ended; in the open one its engine looks itself."""
        found: dict[int, Found] = {}
        for append, own in zip(appends, count_places(appends), strict=True):
            after = since[append.partition.id]
            for place in _ended_elsewhere(append.partition, after):
                with self._lend(place.engine) as log:
                    there = log.find_tagged(place, tag=tag, since=after)
                found |= {index: each for index, each in there.items() if index in own}
        return found

    async def _complete(
        self,
        appends: Sequence[PartitionAppend],
        found: Mapping[int, Found],
        left: Sequence[PartitionAppend],
        receipt: Receipt,
    ) -> Appended:
        def render(ranges: Sequence[AppendedRange]) -> bytes:
            return receipt.render(put_together(appends, found, ranges))

        appended = await self._postgres.append_async(left, receipt=replace(receipt, render=render, is_claimed=True))
        if appended.is_replay:
            return appended
        return Appended(put_together(appends, found, appended.ranges), appended.body)

    # --- where they lie by then ----------------------------------------------------------------------

    async def _check_the_end(
        self, appends: Sequence[PartitionAppend], ranges: Sequence[AppendedRange], *, began: float
    ) -> None:
        """Return if what was stored is of the stream.

        Raises:
            _Behind: some of it is not.
            AppendOutcomeUnknown: nobody can tell.
        """
        if time.monotonic() - began <= FENCE_SETTLE_SECONDS:
            return
        try:
            now = await self._places_of(appends)
        except Exception as error:
            raise AppendOutcomeUnknown from error
        for append, stored in zip(appends, ranges, strict=True):
            epoch = _same_epoch(append.partition.epochs[-1], now[append.partition.id])
            if epoch is not None and epoch.last_offset is not None and stored.last_offset > epoch.last_offset:
                raise _Behind(now)

    async def _places_or_none(self, appends: Sequence[PartitionAppend]) -> Mapping[int, PartitionRef] | None:
        try:
            return await self._places_of(appends)
        except PlaceFenced:
            return None

    async def _places_of(self, appends: Sequence[PartitionAppend]) -> Mapping[int, PartitionRef]:
        """Return by id where partitions lie once none of their places is being closed.

        Raises:
            PlaceFenced: that takes too long.
        """
        deadline = time.monotonic() + FENCE_PATIENCE_SECONDS
        partitions = [each.partition for each in appends]
        while True:
            now = await self._current.whereabouts(partitions)
            if not now.is_fenced:
                return {each.id: now.of(each) for each in partitions}
            if time.monotonic() > deadline:
                raise PlaceFenced([], [])
            await pause(FENCE_LOOK_SECONDS)


def _open(append: PartitionAppend) -> PartitionAppend:
    return append._replace(partition=open_place(append.partition))


def _ended_elsewhere(partition: PartitionRef, since: int) -> Iterator[PartitionRef]:
    for epoch in partition.epochs:
        if epoch.engine != POSTGRES and epoch.last_offset is not None and epoch.last_offset > since:
            yield place_in(partition, epoch)


def _place_number(partition: PartitionRef) -> tuple[int, int]:
    """Return what tells the place that a partition has open from all others."""
    return partition.id, partition.epochs[-1].number


def _same_epoch(epoch: Epoch, partition: PartitionRef) -> Epoch | None:
    return next((each for each in partition.epochs if each.number == epoch.number), None)


def _same_place(before: PartitionRef, now: PartitionRef) -> PartitionRef:
    """Return the place that a partition had open, as far as it reaches by now."""
    epoch = _same_epoch(before.epochs[-1], now)
    return open_place(before) if epoch is None else now._replace(epochs=(epoch,))


async def _beside_the_loop(work: Callable[[], Returned]) -> Returned:
    """Do `work`, which asks an engine, where it may block."""
    return work() if running_loop() is None else await asyncio.to_thread(work)
