"""Ids that the server made for the events of one request: all but their last four bytes are the same.

So one row holds all of those that went to one partition, where others need a row each.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_OWN_BYTES: Final = 4
_NOTHING: Final = bytes(_OWN_BYTES)
# Of a UUIDv7, which is what the server makes: where its version stands, and its variant.
_VERSION_BYTE: Final = 6
_VARIANT_BYTE: Final = 8
# Fewer take less room as rows of their own, and are found as quickly.
_LEAST: Final = 8


def family_of(digest: bytes) -> bytes | None:
    """Return the digest with zeros for what is its own; None: the server makes no such ids."""
    is_made = digest[_VERSION_BYTE] >> 4 == 0b0111 and digest[_VARIANT_BYTE] >> 6 == 0b10
    return digest[:-_OWN_BYTES] + _NOTHING if is_made else None


def common_family(digests: Sequence[bytes]) -> bytes | None:
    """Return the family that all of the digests belong to, if it is one that pays."""
    # What lies between two of one family is of it too.
    first, last = min(digests), max(digests)
    family = family_of(first)
    return family if len(digests) >= _LEAST and family == family_of(last) else None


def members_of(digests: Sequence[bytes]) -> bytes:
    """Return what of each digest is its own, one after the other."""
    return b"".join([digest[-_OWN_BYTES:] for digest in digests])


def places_of(members: bytes) -> Mapping[bytes, int]:
    """Return how many members stand before each, by what is its own."""
    size = _OWN_BYTES
    return {members[start : start + size]: start // size for start in range(0, len(members), size)}


def own_part(digest: bytes) -> bytes:
    """Return what of a digest is its own."""
    return digest[-_OWN_BYTES:]
