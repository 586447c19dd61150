"""How records lie in a stored batch: newline-delimited JSON, compressed where that helps.

Pure functions; nothing here knows offsets or the database.
"""

from collections.abc import Iterable, Sequence
from operator import methodcaller
from typing import Final, NamedTuple

import zstandard

from streams.conf import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from streams.log.codecs import compress, decompress
from streams.log.protocol import CorruptBatch
from streams.record_lines import RecordLines, count_lines, size_of

CODEC_PLAIN: Final = 0
CODEC_ZSTD: Final = 1
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


def pack_again(records: Sequence[bytes]) -> PackedBatch:
    """Return the records of a stored batch as one batch again, whatever their size is now.

    Raises:
        ValueError: a record is not a JSON object on one line.
    """
    return _pack_one(records)


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
        CorruptBatch: it is not what `pack` makes; nothing larger than MAX_UNPACKED_BYTES is ever allocated.
    """
    if codec == CODEC_PLAIN:
        return stored
    if codec != CODEC_ZSTD:
        raise CorruptBatch(f"unknown codec {codec}")
    try:
        # The decompressor trusts the size in the frame's header, so look at it first.
        if not 0 <= zstandard.frame_content_size(stored) <= MAX_UNPACKED_BYTES:
            raise CorruptBatch("the size in the frame's header is missing or too large")
        return decompress(stored, max_bytes=MAX_UNPACKED_BYTES)
    except zstandard.ZstdError as error:
        raise CorruptBatch(str(error)) from error
