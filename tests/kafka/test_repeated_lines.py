"""A broker that is away is told of by every handle, every second; the log of the server tells it once a minute."""

import logging
from types import SimpleNamespace

import pytest

from streams.log.kafka import repeated_lines
from streams.log.kafka.repeated_lines import SeldomRepeated


def line(text):
    return logging.LogRecord("eventflow.kafka", logging.ERROR, "", 0, "%s", (text,), None)


@pytest.fixture
def now(monkeypatch):
    times = [100.0]
    monkeypatch.setattr(repeated_lines, "time", SimpleNamespace(monotonic=lambda: times[0]))
    return times


def test_what_differs_in_its_handle_and_its_times_alone_is_told_once_a_minute(now):
    seldom = SeldomRepeated()
    first = "FAIL [eventflow#producer-2] [thrd:k:9092/1]: k:9092/1: Connection refused (after 0ms in state CONNECT)"
    again = "FAIL [eventflow#consumer-7] [thrd:k:9092/1]: k:9092/1: Connection refused (after 3ms in state CONNECT)"
    other = "FAIL [eventflow#producer-2] [thrd:k:9092/2]: k:9092/2: Connection refused (after 0ms in state CONNECT)"
    assert [seldom.filter(line(text)) for text in (first, again, other, first)] == [True, False, True, False]
    now[0] += 61
    assert [seldom.filter(line(text)) for text in (again, first)] == [True, False]


def test_it_does_not_grow_for_ever(now):
    seldom = SeldomRepeated()
    for number in range(5_000):
        assert seldom.filter(line(f"another line, {number}"))
    assert len(seldom._told_at) <= 1_000
