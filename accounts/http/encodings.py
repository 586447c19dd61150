"""Bodies that come packed, with gzip or zstd: unpacked within the limit that holds for plain ones, whatever they claim.

A body has one layer: whoever wants two would be asked for a limit of each.
"""

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import zstandard
from django.http import HttpRequest

from accounts.errors import BrokenEncoding, PayloadTooLarge, UnsupportedEncoding

# What zlib calls a gzip stream of any window: 16 and 15 bits.
_GZIP_BITS: Final = 31
# As much as every receiver of zstd over HTTP is bound to (RFC 9659): a frame that wants more memory is refused.
_ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024


def encoding_of(request: HttpRequest) -> str | None:
    """Return how the body of a request is packed, if it is.

    Raises:
        UnsupportedEncoding: in another way than we unpack, or more than once.
    """
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in _UNPACKERS:
        raise UnsupportedEncoding("Send the body as it is, or with one Content-Encoding: gzip or zstd.")
    return encoding


def unpack(packed: bytes, *, encoding: str, limit: int) -> bytes:
    """Return what is in a packed body, never having held much more than `limit` bytes of it.

    Raises:
        PayloadTooLarge: there are more.
        BrokenEncoding: it is damaged, cut short, or followed by something else.
    """
    try:
        return _UNPACKERS[encoding](packed, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise BrokenEncoding(f"The body cannot be unpacked as {encoding}. Nothing was stored.") from error


def _unpack_gzip(packed: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj(_GZIP_BITS)
    plain = unpacking.decompress(packed, limit + 1)
    _check_size(len(plain), limit)
    _check_end(is_whole=unpacking.eof, rest=unpacking.unused_data)
    return plain


def _unpack_zstd(packed: bytes, limit: int) -> bytes:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    # A reader stops at a limit, but does not tell a frame that was cut short from a whole one. So it measures ...
    with unpacker.stream_reader(packed) as reader:
        _check_size(len(reader.read(limit + 1)), limit)
    # ... and what has no limit unpacks what is known to fit.
    unpacking = unpacker.decompressobj()
    plain = unpacking.decompress(packed)
    _check_end(is_whole=unpacking.eof, rest=unpacking.unused_data)
    return plain


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(f"The body may have at most {limit} bytes when it is unpacked.")


def _check_end(*, is_whole: bool, rest: bytes) -> None:
    if not is_whole:
        raise BrokenEncoding("The packed body was cut short. Nothing was stored.")
    if rest:
        raise BrokenEncoding("Something follows the end of the packed body. Nothing was stored.")


_UNPACKERS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = MappingProxyType(
    # The second name is the first's older one (RFC 9110).
    {"gzip": _unpack_gzip, "x-gzip": _unpack_gzip, "zstd": _unpack_zstd}
)
