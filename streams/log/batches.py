"""How records lie in a stored batch: newline-delimited JSON, compressed where that helps.

Pure functions; nothing here knows offsets or the database. A batch that was merged of several has the times of its
events in front (`recorded_times`), which two codecs more say.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import methodcaller
from typing import Final, NamedTuple

import zstandard

from streams.conf import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from streams.log.codecs import compress, decompress, size_told
from streams.log.protocol import LogDamaged
from streams.log.recorded_times import RecordedTimes, cut_head, unpack_times
from streams.record_lines import RecordLines, count_lines, size_of

CODEC_PLAIN: Final = 0
CODEC_ZSTD: Final = 1
# The same two behind a head that says when each event was recorded. SQL knows them as those from 2 on.
CODEC_TIMED_PLAIN: Final = 2
CODEC_TIMED_ZSTD: Final = 3
_UNTIMED: Final = {CODEC_TIMED_PLAIN: CODEC_PLAIN, CODEC_TIMED_ZSTD: CODEC_ZSTD}
_TIMED: Final = {untimed: timed for timed, untimed in _UNTIMED.items()}
# No batch that we ever stored is larger: one event, if larger than the cap, is alone in its batch.
MAX_UNPACKED_BYTES: Final = 16 * 1024 * 1024

_is_object = methodcaller("startswith", b"{")


class PackedBatch(NamedTuple):
    """One row to store: `record_bytes` is the size of its events before compression."""

    event_count: int
    codec: int
    records: bytes
    record_bytes: int


def pack(records: Sequence[bytes]) -> list[PackedBatch]:
    """Cut records, in order, into as few batches as the caps allow.

    Raises:
        ValueError: a record is not a JSON object on one line; reading would take it for more or fewer.
    """
    if len(records) <= MAX_BATCH_EVENTS and size_of(records) + len(records) <= MAX_BATCH_BYTES:
        return [_pack_one(records)] if records else []
    return [_pack_one(part) for part in _cut(records)]


def pack_again(records: Sequence[bytes], *, head: bytes = b"") -> PackedBatch:
    """Return the records of stored batches as one batch, whatever their size is now.

    Args:
        head: the times of its events, unless they have one in common.

    Raises:
        ValueError: a record is not a JSON object on one line.
    """
    packed = _pack_one(records)
    return packed._replace(codec=_TIMED[packed.codec], records=head + packed.records) if head else packed


def head_of(codec: int, stored: bytes) -> bytes:
    """Return the times in front of a merged batch, packed; nothing of another one.

    Raises:
        LogDamaged
    """
    return cut_head(stored)[0] if codec in _UNTIMED else b""


def times_of(codec: int, stored: bytes, *, event_count: int, recorded_at: datetime) -> RecordedTimes | None:
    """Return when the events of a merged batch were recorded; None: all when its row says.

    Raises:
        LogDamaged
    """
    if codec not in _UNTIMED:
        return None
    return unpack_times(stored, event_count=event_count, recorded_at=recorded_at)


def unpacked_size(codec: int, beginning: bytes, *, stored_bytes: int) -> int:
    """Return what the records of a batch take unpacked, without unpacking them.

    Args:
        beginning: the batch as far as its head and the header of its frame, at least.
        stored_bytes: the size of all of it.

    Raises:
        LogDamaged: it is not what `pack` makes.
    """
    if codec in _UNTIMED:
        head, rest = cut_head(beginning)
        return unpacked_size(_UNTIMED[codec], bytes(rest), stored_bytes=stored_bytes - len(head))
    if codec == CODEC_PLAIN:
        return stored_bytes
    if codec != CODEC_ZSTD:
        raise LogDamaged(f"unknown codec {codec}")
    try:
        return size_told(beginning, max_bytes=MAX_UNPACKED_BYTES)
    except zstandard.ZstdError as error:
        raise LogDamaged(str(error)) from error


def _cut(records: Iterable[bytes]) -> Iterable[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for record in records:
        if part and (len(part) == MAX_BATCH_EVENTS or size + len(record) + 1 > MAX_BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record) + 1
    if part:
        yield part


def _pack_one(records: Sequence[bytes]) -> PackedBatch:
    plain = records.text if isinstance(records, RecordLines) else _join(records)
    record_bytes = len(plain) - len(records) + 1
    compressed = compress(plain)
    if len(compressed) < len(plain):
        return PackedBatch(len(records), CODEC_ZSTD, compressed, record_bytes)
    return PackedBatch(len(records), CODEC_PLAIN, plain, record_bytes)


def _join(records: Sequence[bytes]) -> bytes:
    plain = b"\n".join(records)
    if count_lines(plain) != len(records) or not all(map(_is_object, records)):
        raise ValueError("a record is a JSON object on one line")
    return plain


def unpack(codec: int, stored: bytes) -> bytes:
    """Return the newline-delimited records of a stored batch.

    Raises:
        LogDamaged: it is not what `pack` makes; nothing larger than MAX_UNPACKED_BYTES is ever allocated.
    """
    if codec in _UNTIMED:
        return unpack(_UNTIMED[codec], bytes(cut_head(stored)[1]))
    if codec == CODEC_PLAIN:
        return stored
    if codec != CODEC_ZSTD:
        raise LogDamaged(f"unknown codec {codec}")
    try:
        return decompress(stored, max_bytes=MAX_UNPACKED_BYTES)
    except zstandard.ZstdError as error:
        raise LogDamaged(str(error)) from error
