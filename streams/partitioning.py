"""Which partition an event goes to: as Kafka's default partitioner decides it.

A stream that moves to Kafka keeps its map from keys to partitions.
"""

import itertools
import threading
from functools import lru_cache
from math import lcm
from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_REMEMBERED_KEYS: Final = 16_384
_REMEMBERED_STREAMS: Final = 10_000

_turns: dict[int, "itertools.count[int]"] = {}
_turns_lock = threading.Lock()


def murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `key` with Kafka's seed, as an unsigned number."""
    length = len(key)
    hashed = (_SEED ^ length) & _MASK
    whole = length & ~3
    for position in range(0, whole, 4):
        word = int.from_bytes(key[position : position + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        hashed = hashed * _MULTIPLIER & _MASK ^ word
    if length > whole:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    hashed = (hashed ^ hashed >> 13) * _MULTIPLIER & _MASK
    return hashed ^ hashed >> 15


def partition_for_key(key: bytes, partition_count: int) -> int:
    """Return the number of the partition for a key: the same one for ever."""
    return (murmur2(key) & 0x7FFFFFFF) % partition_count


def share_of_keys_that_move(before: int, after: int) -> float:
    """Return which part of all keys goes to another partition once there are `after` instead of `before`, 0 to 1."""
    # A hash stays where it was if it leaves the same remainder by both: one in so many, for each that there was.
    return 1 - min(before, after) / lcm(before, after)


@lru_cache(maxsize=_REMEMBERED_KEYS)
def partition_of_key(key: str, partition_count: int) -> int:
    """Return the number of the partition for a key given as text; streams see the same keys again and again."""
    return partition_for_key(key.encode(), partition_count)


def next_keyless_partition(stream_id: int, partition_count: int) -> int:
    """Return the partition for the events of one request that have no key: the next one, in turn.

    Each process takes turns of its own, beginning at a place that depends on the stream.
    """
    if partition_count == 1:
        return 0
    turn = _turns.get(stream_id)
    if turn is None:
        with _turns_lock:
            if len(_turns) >= _REMEMBERED_STREAMS:
                _turns.clear()
            turn = _turns.setdefault(stream_id, itertools.count(stream_id))
    return next(turn) % partition_count
