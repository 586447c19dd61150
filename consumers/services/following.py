"""Following a stream: its events as they come, for as long as the right to them lasts and somebody listens."""

import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from accounts.database_threads import let_go_of_connection
from accounts.errors import RateLimited
from consumers.conf import HEARTBEAT_SECONDS, LIVE_DATABASE_PAUSE_SECONDS, LIVE_WRITE_BYTES, LIVE_WRITE_EVENTS
from consumers.services.reading import Reading, read_now
from consumers.services.shared_looks import shared_looks
from consumers.services.standing import Standing
from streams.log import get_wakeups, in_log_thread
from streams.log.protocol import PartitionRef
from streams.stopping import is_stopping


async def follow_events(
    *,
    positions: Mapping[PartitionRef, int],
    types: frozenset[str] | None,
    standing: Standing,
) -> AsyncGenerator[Reading, None]:
    """Yield what follows the given offset of each partition, as it comes; and now and then nothing, as a sign of life.

    Between the readings neither a thread nor a connection is held. The right is looked at before each of them. A
    database that is away is waited for: nobody is sent home for that, and nobody is given anything either.

    Ends when this process is about to stop.

    Raises:
        what the standing does, and whatever a new request would be told.
    """
    reached = dict(positions)
    last_sign = time.monotonic()
    # Watching begins before the first look: an append in between wakes us, none is missed.
    with get_wakeups().watch([partition.id for partition in positions]) as watch, standing.waking(watch.wake):
        while not is_stopping():
            reading = await _read_if_possible(reached, types, standing)
            if reading is not None:
                reached = {partition: reading.next_offsets[partition.number] for partition in reached}
                if reading.events or reading.gaps:
                    last_sign = time.monotonic()
                    yield reading
            due_in = last_sign + HEARTBEAT_SECONDS - time.monotonic()
            if due_in <= 0:
                last_sign = time.monotonic()
                yield Reading(next_offsets={partition.number: offset for partition, offset in reached.items()})
                continue
            if reading is None:
                due_in = min(due_in, LIVE_DATABASE_PAUSE_SECONDS)
            else:
                heads = {partition: reading.bounds[partition.number].head_offset for partition in reached}
                if any(reached[partition] < heads[partition] for partition in reached):
                    continue
                for partition, head_offset in heads.items():
                    watch.saw(partition.id, head_offset)
            await let_go_of_connection()
            await watch.wait_async(due_in)


async def _read_if_possible(
    positions: Mapping[PartitionRef, int], types: frozenset[str] | None, standing: Standing
) -> Reading | None:
    """Look at the right, then read; None: the database cannot be asked, or too many ask it already."""
    standing.check_still_there()
    try:
        await standing.look_again()
        return await shared_looks().read(
            (*positions.items(), types),
            partial(read_for_live, positions, types),
            in_thread=partial(in_log_thread, list(positions)),
        )
    except (OperationalError, InterfaceError, PoolTimeout, RateLimited):
        return None


def read_for_live(positions: Mapping[PartitionRef, int], types: frozenset[str] | None) -> Reading:
    """Return what follows the given offsets, as much as one write carries."""
    return read_now(positions, limit=LIVE_WRITE_EVENTS, max_bytes=LIVE_WRITE_BYTES, types=types)
