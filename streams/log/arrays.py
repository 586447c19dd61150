"""Arrays as the append statement takes them."""

import struct
from typing import Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_BIGINT_ARRAY_OID: Final = 1016
_BIGINT_OID: Final = 20
_UUID_ARRAY_OID: Final = 2951
_UUID_OID: Final = 2950
_DIGEST_BYTES: Final = 16
_HAS_DIGEST: Final = struct.pack("!i", _DIGEST_BYTES)


class Bigints(tuple[int, ...]):
    """Integers that travel as `bigint[]` in binary, whatever their values.

    psycopg would choose the narrowest type by value, and so prepare one statement for each combination.
    """

    __slots__ = ()


class Digests(tuple[bytes, ...]):
    """Texts of 16 bytes that travel as `uuid[]`, which is the type that PostgreSQL has for as many bytes."""

    __slots__ = ()


def _header(oid: int, count: int) -> bytes:
    return struct.pack("!iiiii", 1, 0, oid, count, 1) if count else struct.pack("!iii", 0, 0, oid)


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _BIGINT_ARRAY_OID

    def dump(self, obj: Bigints) -> Buffer:
        flat = [word for value in obj for word in (8, value)]
        return _header(_BIGINT_OID, len(obj)) + struct.pack(f"!{'iq' * len(obj)}", *flat)


class _DigestsDumper(Dumper):
    format = Format.BINARY
    oid = _UUID_ARRAY_OID

    def dump(self, obj: Digests) -> Buffer:
        elements = _HAS_DIGEST + _HAS_DIGEST.join(obj) if obj else b""
        if len(elements) != len(obj) * (_DIGEST_BYTES + len(_HAS_DIGEST)):
            raise ValueError(f"a digest has {_DIGEST_BYTES} bytes")
        return _header(_UUID_OID, len(obj)) + elements


adapters: Final = AdaptersMap(psycopg.adapters)
adapters.register_dumper(Bigints, _BigintsDumper)
adapters.register_dumper(Digests, _DigestsDumper)
