"""Finding a stream by its name, remembered for less than a second in each process.

The hot verbs ask this for every request. What was changed in this process is forgotten at once, what was
changed elsewhere is seen within the second.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from accounts.caller import Caller
from accounts.database_threads import in_database_thread
from accounts.errors import ScopeMissing
from accounts.principals import Access, Principal
from accounts.quotas import STORED_MIB, quota_of
from accounts.roles import Right
from accounts.services.key_uses import note_touch
from accounts.short_memory import ShortMemory
from streams.access import NOTHING, rights_on_stream
from streams.conf import MAX_PARTITIONS, POSTGRES, STREAM_CACHE_SECONDS, STREAM_CACHE_SIZE
from streams.errors import PartitionNotFound, StreamNotFound
from streams.log import capabilities_of
from streams.log.epochs import epochs_by_partition, find_epochs
from streams.log.protocol import Capability, Epoch, PartitionRef
from streams.models import Partition, Stream, Visibility
from streams.names import is_well_formed
from streams.statements import run
from streams.visible import list_streams


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
    # off, warn or enforce: what becomes of payloads that are not as the schema of their type says.
    validation: str
    # For how many seconds an event is not stored whose id the stream has had; None: each is.
    deduplicate_ids: int | None
    partitions: tuple[PartitionRef, ...]

    def partition(self, number: int) -> PartitionRef:
        """Return the partition of that number, as far as is known here (`partition_of` asks).

        Raises:
            PartitionNotFound
        """
        if not 0 <= number < len(self.partitions):
            raise PartitionNotFound(f"{self.name} has the partitions 0 to {len(self.partitions) - 1}.")
        return self.partitions[number]

    @property
    def engine(self) -> str:
        """The alias of the engine that it is appended to."""
        return self.partitions[0].engine if self.partitions else POSTGRES

    @property
    def is_external(self) -> bool:
        """Whether it shows a topic of somebody else, which others write."""
        return any(epoch.is_external for each in self.partitions[:1] for epoch in each.epochs)

    def offers(self, capability: Capability) -> bool:
        """Whether the stream's engine has a capability."""
        return capability in capabilities_of(self.engine)

    def rights_of(self, caller: Caller) -> frozenset[Right]:
        return rights_on_stream(caller, name=self.name, is_internal=self.is_internal, access=self.access)


_memory: ShortMemory[str, StreamInfo] = ShortMemory(seconds=STREAM_CACHE_SECONDS, size=STREAM_CACHE_SIZE)


# Who was found to see which stream. Only that they do: of a stream that is hidden, as of one that is missing, nothing.
_sights: ShortMemory[tuple[Caller, str], Literal[True]] = ShortMemory(
    seconds=STREAM_CACHE_SECONDS, size=STREAM_CACHE_SIZE
)


def require_stream(caller: Caller, name: str, right: Right | None = None) -> StreamInfo:
    """Return a stream that the caller may see and, if a right is named, use in that way.

    Who may not see it costs the same one question whether it is there or not, remembered or not: how long the
    refusal takes does not tell either.

    Raises:
        StreamNotFound: missing, or hidden from this caller: the two look the same.
        ScopeMissing: the caller sees it, but lacks the right.
    """
    known, rights = _remembered(caller, name)
    if not rights and not _sees(caller, name):
        raise StreamNotFound
    stream = find_stream(name)
    return _checked(caller, stream, rights if stream is known else _rights(caller, stream), right)


async def require_stream_async(caller: Caller, name: str, right: Right | None = None) -> StreamInfo:
    """Do what `require_stream` does, and let the event loop go on meanwhile."""
    known, rights = _remembered(caller, name)
    if not rights and not await _sees_async(caller, name):
        raise StreamNotFound
    stream = await find_stream_async(name)
    return _checked(caller, stream, rights if stream is known else _rights(caller, stream), right)


async def require_streams_async(caller: Caller, names: Sequence[str], right: Right) -> dict[str, StreamInfo]:
    """Do what `require_stream_async` does for each; those that nobody remembers are asked for together."""
    missing = [name for name in names if not _remembered(caller, name)[1]]
    asked = await in_database_thread(lambda: _load_visible(caller, missing)) if len(missing) > 1 else {}
    return {
        name: _checked(caller, asked[name], _rights(caller, asked[name]), right)
        if name in asked
        else await require_stream_async(caller, name, right)
        for name in names
    }


def _load_visible(caller: Caller, names: Sequence[str]) -> dict[str, StreamInfo]:
    well_formed = [name for name in names if is_well_formed(name)]
    return load_streams(list(list_streams(caller).filter(name__in=well_formed).values_list("name", flat=True)))


def _remembered(caller: Caller, name: str) -> tuple[StreamInfo | None, frozenset[Right]]:
    known = _memory.peek(name)
    return known, _rights(caller, known)


def _rights(caller: Caller, stream: StreamInfo | None) -> frozenset[Right]:
    return stream.rights_of(caller) if stream else NOTHING


# The refusal ends here, and a new one begins: its traceback would hold the request until a garbage collection.


def _sees(caller: Caller, name: str) -> bool:
    try:
        return _sights.get((caller, name), lambda: _ask_for_sight(caller, name))
    except StreamNotFound:
        return False


async def _sees_async(caller: Caller, name: str) -> bool:
    try:
        return await _sights.get_async((caller, name), lambda: _ask_for_sight(caller, name))
    except StreamNotFound:
        return False


def _ask_for_sight(caller: Caller, name: str) -> Literal[True]:
    if not is_well_formed(name) or not list_streams(caller).filter(name=name).exists():
        raise StreamNotFound
    return True


def _checked(caller: Caller, stream: StreamInfo | None, rights: frozenset[Right], right: Right | None) -> StreamInfo:
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
    return load_streams([name]).get(name)


def load_streams(names: Sequence[str]) -> dict[str, StreamInfo]:
    """Return those of the streams that exist, by name, as the database has them now."""
    asked = [name for name in names if is_well_formed(name)]
    if not asked:
        return {}
    most = quota_of(STORED_MIB)
    # One statement, and nothing of Django's models: each stream in use is asked for twice a second by every process.
    rows = run("streams_by_name", names=asked, most_stored_bytes=None if most is None else most * 2**20)
    return {name: _info_of_rows(name, list(own)) for name, own in groupby(rows, key=itemgetter(0))}


def _info_of_rows(name: str, rows: Sequence[tuple[Any, ...]]) -> StreamInfo:
    _, stream_id, visibility, is_paused, is_full, partition_ids, owner_id, owner_team_id, *_ = rows[0]
    validation, deduplicate_ids, epochs = rows[0][-3:]
    grants = [(Principal(row[8], row[9]), row[10]) for row in rows if row[10] is not None]
    return StreamInfo(
        id=stream_id,
        name=name,
        access=Access.of(Principal(owner_id, owner_team_id), grants),
        is_internal=visibility == Visibility.INTERNAL,
        is_paused=is_paused,
        is_full=is_full,
        validation=validation,
        deduplicate_ids=deduplicate_ids,
        partitions=_refs(name, partition_ids, epochs_by_partition(epochs or ())),
    )


def renewed(stream: StreamInfo) -> StreamInfo:
    """Return the stream as the database has it now: partitions may have been added on another worker, or moved.

    Who was deleted stays as it is here, even where another one has its name by now.
    """
    current = load_stream(stream.name)
    if current is None or current.id != stream.id:
        return stream
    if current.partitions != stream.partitions:
        forget_streams()
    return current


def partition_of(stream: StreamInfo, number: int) -> PartitionRef:
    """Return the partition of that number, even if it was added a moment ago on another worker.

    Raises:
        PartitionNotFound
    """
    if len(stream.partitions) <= number < MAX_PARTITIONS:
        stream = renewed(stream)
    return stream.partition(number)


async def partitions_of_async(stream: StreamInfo, numbers: Collection[int]) -> list[PartitionRef]:
    """Do what `partition_of` does for each, and let the event loop go on meanwhile.

    Raises:
        PartitionNotFound
    """
    if any(len(stream.partitions) <= number < MAX_PARTITIONS for number in numbers):
        stream = await in_database_thread(lambda: renewed(stream))
    return [stream.partition(number) for number in numbers]


def least_partition_count(stream: StreamInfo) -> int:
    """Return how many partitions a stream had at least, ever."""
    return Stream.objects.values_list("first_partition_count", flat=True).filter(pk=stream.id).first() or len(
        stream.partitions
    )


def info_of(row: Stream) -> StreamInfo:
    """Return what the hot verbs need of a stream's row (with its partitions and grants).

    That it is full is not looked at: only appending asks, through `load_stream`.
    """
    [info] = infos_of([row])
    return info


def infos_of(rows: Sequence[Stream]) -> list[StreamInfo]:
    """Return the same of several, with at most one query for all of them."""
    ids = {row.pk: _partition_ids(row) for row in rows}
    elsewhere = [pk for row in rows if row.has_epochs for pk in ids[row.pk]]
    epochs = find_epochs(elsewhere) if elsewhere else {}
    return [_info_of(row, ids[row.pk], epochs) for row in rows]


def _partition_ids(row: Stream) -> list[int]:
    return [each.pk for each in sorted(row.partitions.all(), key=lambda partition: partition.number)]


def _info_of(row: Stream, partition_ids: list[int], epochs: Mapping[int, tuple[Epoch, ...]]) -> StreamInfo:
    return StreamInfo(
        id=row.pk,
        name=row.name,
        access=row.access,
        is_internal=row.visibility == Visibility.INTERNAL,
        is_paused=row.is_paused,
        is_full=False,
        validation=row.validation,
        deduplicate_ids=row.deduplicate_ids_seconds,
        partitions=_refs(row.name, partition_ids, epochs if row.has_epochs else {}),
    )


def ref_of(row: Partition) -> PartitionRef:
    """Return the reference to a partition whose row was loaded with its stream; no query unless that has epochs."""
    ref = PartitionRef(row.pk, row.stream.name, row.number)
    return ref._replace(epochs=find_epochs([row.pk]).get(row.pk, ())) if row.stream.has_epochs else ref


def _refs(
    stream_name: str, partition_ids: list[int], epochs: Mapping[int, tuple[Epoch, ...]]
) -> tuple[PartitionRef, ...]:
    if not epochs:
        return tuple(PartitionRef(pk, stream_name, number) for number, pk in enumerate(partition_ids))
    return tuple(PartitionRef(pk, stream_name, number, epochs.get(pk, ())) for number, pk in enumerate(partition_ids))


def forget_streams() -> None:
    """Drop what this process remembers: a stream was changed or deleted here."""
    _memory.forget()
    _sights.forget()
