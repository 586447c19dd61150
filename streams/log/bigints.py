"""Integers as the append statement takes them."""

import struct
from typing import Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_BIGINT_ARRAY_OID: Final = 1016
_BIGINT_OID: Final = 20


class Bigints(tuple[int, ...]):
    """Integers that travel as `bigint[]` in binary, whatever their values.

    psycopg would choose the narrowest type by value, and so prepare one statement for each combination.
    """

    __slots__ = ()


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _BIGINT_ARRAY_OID

    def dump(self, obj: Bigints) -> Buffer:
        if not obj:
            return struct.pack("!iii", 0, 0, _BIGINT_OID)
        flat = [word for value in obj for word in (8, value)]
        return struct.pack(f"!iiiii{'iq' * len(obj)}", 1, 0, _BIGINT_OID, len(obj), 1, *flat)


adapters: Final = AdaptersMap(psycopg.adapters)
adapters.register_dumper(Bigints, _BigintsDumper)
