"""Finding a stream by its name, remembered for less than a second in each process.

The hot verbs ask this for every request. What was changed in this process is forgotten at once, what was
changed elsewhere is seen within the second.
"""

from dataclasses import dataclass

from django.db.models import Sum

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.principals import Access
from accounts.quotas import STORED_MIB, quota_of
from accounts.roles import Right
from accounts.services.key_uses import note_touch
from accounts.short_memory import ShortMemory
from streams.access import rights_on_stream
from streams.conf import STREAM_CACHE_SECONDS, STREAM_CACHE_SIZE
from streams.errors import PartitionNotFound, StreamNotFound
from streams.log.protocol import PartitionRef
from streams.models import Partition, Stream, Visibility
from streams.names import is_well_formed


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the hot verbs need to know of a stream. `partitions[i]` has number i."""

    id: int
    name: str
    access: Access
    is_internal: bool
    is_paused: bool
    # Its owner has stored as much as they may.
    is_full: bool
    partitions: tuple[PartitionRef, ...]

    def partition(self, number: int) -> PartitionRef:
        """Return the partition of that number.

        Raises:
            PartitionNotFound
        """
        if not 0 <= number < len(self.partitions):
            raise PartitionNotFound(f"{self.name} has the partitions 0 to {len(self.partitions) - 1}.")
        return self.partitions[number]

    def rights_of(self, caller: Caller) -> frozenset[Right]:
        return rights_on_stream(caller, name=self.name, is_internal=self.is_internal, access=self.access)


_memory: ShortMemory[str, StreamInfo] = ShortMemory(seconds=STREAM_CACHE_SECONDS, size=STREAM_CACHE_SIZE)


def require_stream(caller: Caller, name: str, right: Right | None = None) -> StreamInfo:
    """Return a stream that the caller may see and, if a right is named, use in that way.

    Raises:
        StreamNotFound: missing, or hidden from this caller: the two look the same.
        ScopeMissing: the caller sees it, but lacks the right.
    """
    return _checked(caller, find_stream(name), right)


async def require_stream_async(caller: Caller, name: str, right: Right | None = None) -> StreamInfo:
    """Do what `require_stream` does, and let the event loop go on meanwhile."""
    return _checked(caller, await find_stream_async(name), right)


def _checked(caller: Caller, stream: StreamInfo | None, right: Right | None) -> StreamInfo:
    rights = stream.rights_of(caller) if stream else frozenset()
    if stream is None or not rights:
        raise StreamNotFound
    if right is not None and right not in rights:
        raise ScopeMissing(f"You may {' and '.join(sorted(rights))} {stream.name}, but not {right}.")
    note_touch(caller.key_id, stream.name)
    return stream


def find_stream(name: str) -> StreamInfo | None:
    """Return a stream by name, at most a second old, or None.

    That there is none is not remembered: a stream made on another worker is there at once.
    """
    try:
        return _memory.get(name, lambda: _ask_for_stream(name))
    except StreamNotFound:
        return None


async def find_stream_async(name: str) -> StreamInfo | None:
    """Do what `find_stream` does, and let the event loop go on meanwhile."""
    try:
        return await _memory.get_async(name, lambda: _ask_for_stream(name))
    except StreamNotFound:
        return None


def _ask_for_stream(name: str) -> StreamInfo:
    stream = load_stream(name)
    if stream is None:
        raise StreamNotFound
    return stream


def load_stream(name: str) -> StreamInfo | None:
    """Return a stream by name as the database has it now, or None."""
    if not is_well_formed(name):
        return None
    row = Stream.objects.prefetch_related("partitions", "grants").filter(name=name).first()
    return info_of(row, is_full=_is_full(row)) if row else None


def info_of(row: Stream, *, is_full: bool = False) -> StreamInfo:
    """Return what the hot verbs need of a stream's row (with its partitions and grants).

    Args:
        is_full: only appending asks, through `load_stream`.
    """
    partitions = sorted(row.partitions.all(), key=lambda partition: partition.number)
    return StreamInfo(
        id=row.pk,
        name=row.name,
        access=row.access,
        is_internal=row.visibility == Visibility.INTERNAL,
        is_paused=row.is_paused,
        is_full=is_full,
        partitions=tuple(PartitionRef(partition.pk, row.name, partition.number) for partition in partitions),
    )


def _is_full(row: Stream) -> bool:
    most = quota_of(STORED_MIB)
    if most is None:
        return False
    stored = Partition.objects.filter(stream__owner_id=row.owner_id, stream__owner_team_id=row.owner_team_id)
    return (stored.aggregate(total=Sum("stored_bytes"))["total"] or 0) >= most * 2**20


def forget_streams() -> None:
    """Drop what this process remembers: a stream was changed or deleted here."""
    _memory.forget()
