"""How the answer of a request is kept for its retries."""

from datetime import timedelta
from typing import Final

import zstandard

TTL: Final = timedelta(hours=24)
# The largest answer is a batch of 1,000 events with a result for each.
MAX_BODY_BYTES: Final = 4 * 1024 * 1024


def compress(body: bytes) -> bytes:
    """Return the body as `IdempotencyRecord.body` stores it."""
    return zstandard.compress(body, 1)


def decompress(stored: bytes) -> bytes:
    """Return the body that `compress` was given.

    Raises:
        ValueError: it is not that, or larger than any answer of ours.
    """
    try:
        if not 0 <= zstandard.frame_content_size(stored) <= MAX_BODY_BYTES:
            raise ValueError("the stored answer has no size or is too large")
        return zstandard.decompress(stored, max_output_size=MAX_BODY_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError("the stored answer cannot be decompressed") from error
