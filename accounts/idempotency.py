"""How a remembered answer is stored: zstd, since a large batch's answer repeats itself."""

import zstandard

_LEVEL = 1
# No answer is larger; a damaged row must not unpack to more.
_MAX_BODY_BYTES = 16 * 1024 * 1024


def pack_body(body: bytes) -> bytes:
    """Return `body` as it is stored."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(body)


def unpack_body(stored: bytes) -> bytes:
    """Return the body that `pack_body` stored."""
    return zstandard.ZstdDecompressor().decompress(stored, max_output_size=_MAX_BODY_BYTES) if stored else b""
