"""zstandard's compressors and decompressors, as many as work at once.

An object of theirs is for one thread at a time and takes a quarter of a megabyte: too much for each of a web worker's
hundreds of threads, of which few compress at the same moment.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

import zstandard

from streams.conf import ZSTD_LEVEL

T = TypeVar("T")


class _Idle(Generic[T]):
    """Objects that wait for work, made when none does."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: deque[T] = deque()

    @contextmanager
    def borrow(self) -> Iterator[T]:
        try:
            one = self._idle.pop()
        except IndexError:
            one = self._make()
        try:
            yield one
        finally:
            self._idle.append(one)


_compressors = _Idle(partial(zstandard.ZstdCompressor, level=ZSTD_LEVEL))
_decompressors = _Idle(zstandard.ZstdDecompressor)


def compress(plain: bytes) -> bytes:
    """Return one zstd frame whose header says how large it was before."""
    with _compressors.borrow() as compressor:
        return compressor.compress(plain)


def size_told(frame: bytes, *, max_bytes: int) -> int:
    """Return the size that a frame's header tells of what it holds.

    Raises:
        zstandard.ZstdError: there is no header, or it tells none, or more than that.
    """
    size: int = zstandard.frame_content_size(frame)
    if not 0 <= size <= max_bytes:
        raise zstandard.ZstdError("the size in the frame's header is missing or too large")
    return size


def decompress(frame: bytes, *, max_bytes: int) -> bytes:
    """Return what a frame holds.

    Raises:
        zstandard.ZstdError: it is not a whole frame, or would be larger than that.
    """
    # The decompressor allocates as much as the header tells.
    size_told(frame, max_bytes=max_bytes)
    with _decompressors.borrow() as decompressor:
        return decompressor.decompress(frame, max_output_size=max_bytes)
