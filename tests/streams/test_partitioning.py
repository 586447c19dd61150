"""Keys go where Kafka's default partitioner puts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioning import murmur2, next_keyless_partition, partition_for_key


# The vectors of Kafka's own tests (its numbers are signed).
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hashes_are_those_of_kafka(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 256))
def test_a_key_always_goes_to_the_same_existing_partition(key: bytes, count: int) -> None:
    number = partition_for_key(key, count)
    assert 0 <= number < count
    assert partition_for_key(key, count) == number


def test_requests_without_a_key_take_the_partitions_in_turn() -> None:
    turns = [next_keyless_partition(987_654, 3) for _ in range(6)]
    assert turns[:3] == turns[3:]
    assert set(turns) == {0, 1, 2}


def test_one_partition_needs_no_turns() -> None:
    assert next_keyless_partition(1, 1) == 0
