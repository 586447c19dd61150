"""Numbers as people read them."""

import pytest

from observability.wording import compact, duration, number_of, rate, size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (9_999.6, "10k"),
        (99_949, "99.9k"),
        (99_951, "100k"),
        (999_499, "999k"),
        (999_501, "1M"),
        (999_999, "1M"),
        (-999_999, "-1M"),
        (1_000_000, "1M"),
        (1_234_567, "1.2M"),
        (999_499_999, "999M"),
        (999_999_999, "1G"),
        (999_999_999_999, "1T"),
        (2e15, "2000T"),
    ],
)
def test_large_numbers_are_short_and_small_ones_exact(value, words):
    assert compact(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.001, "<0.01"), (0.25, "0.25"), (1.234, "1.2"), (9.97, "10"), (87.6, "88"), (9_999.6, "10k")],
)
def test_a_rate_is_never_a_false_zero(value, words):
    assert rate(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.6, "1 KiB"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (512.5 * 2**10, "512.5 KiB"),
        (2**20 - 103, "1023.9 KiB"),
        (2**20 - 1, "1 MiB"),
        (2**30 - 1, "1 GiB"),
        (5 * 2**30, "5 GiB"),
        (2**40 - 1, "1 TiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_sizes_are_binary(value, words):
    assert size(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.3, "<1 s"),
        (59, "59 s"),
        (59.99, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599.99, "59 min 59 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (86_399.99, "23 h 59 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds, words):
    assert duration(seconds) == words


def test_one_is_not_many():
    assert number_of(1, "event") == "1 event"
    assert number_of(2_000, "event") == "2,000 events"
