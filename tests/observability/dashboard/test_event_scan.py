"""Scans: every matching event once, in order, in pieces of any size, over several partitions."""

import pytest

from observability.dashboard.queries import event_scan
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import read_positions, scan_backwards, scan_forwards, write_positions
from observability.dashboard.queries.event_view import view_event
from streams.lookup import load_stream
from tests.browser.story import append
from tests.client import ApiClient
from tests.factories import make_stream, make_token

ALL = EventFilter()


@pytest.fixture
def partitions(db_with_commits):
    stream = make_stream("scanned", partitions=3)
    for start in range(0, 120, 30):
        events = (
            {"type": "odd" if n % 2 else "even", "key": f"k{n % 11}", "payload": n} for n in range(start, start + 30)
        )
        append(stream, *events)
    return load_stream("scanned").partitions


def walk(scan, partitions, start, *, wanted=ALL, limit=7) -> list[tuple[int, int]]:
    found, positions, steps = [], start, 0
    while True:
        piece = scan(partitions, positions, wanted=wanted, limit=limit)
        found += [(view_event(raw).partition, view_event(raw).offset) for raw in piece.events]
        positions, steps = piece.positions, steps + 1
        assert steps < 200
        if piece.is_done:
            return found


def everything(partitions) -> set[tuple[int, int]]:
    from streams.log import get_log

    bounds = get_log().bounds(partitions)
    return {(each.number, offset) for each in partitions for offset in range(1, bounds[each.id].head_offset + 1)}


@pytest.mark.parametrize("limit", [1, 7, 50, 500])
def test_forwards_and_backwards_meet_every_event_once(partitions, limit):
    forwards = walk(scan_forwards, partitions, {}, limit=limit)
    backwards = walk(scan_backwards, partitions, {}, limit=limit)

    assert len(forwards) == len(backwards) == 120
    assert set(forwards) == set(backwards) == everything(partitions)


def test_within_a_partition_the_order_is_the_logs(partitions):
    for number in range(3):
        forwards = [offset for part, offset in walk(scan_forwards, partitions, {}) if part == number]
        backwards = [offset for part, offset in walk(scan_backwards, partitions, {}) if part == number]
        assert forwards == sorted(forwards)
        assert backwards == sorted(backwards, reverse=True)


@pytest.mark.parametrize("scan", [scan_forwards, scan_backwards])
def test_a_filter_finds_all_that_match_however_small_the_steps(partitions, scan, monkeypatch):
    monkeypatch.setattr(event_scan, "STEP_EVENTS", 5)
    monkeypatch.setattr(event_scan, "MAX_SCANNED_EVENTS", 12)

    assert len(walk(scan, partitions, {}, wanted=EventFilter(type="odd"), limit=4)) == 60


def test_text_is_found_however_it_was_sent(db_with_commits):
    owner = make_stream("sent").owner
    for payload in (rb'"zo\u00eb"', '"ZOË"'.encode(), '"zoe\u0308"'.encode(), b'"zoe"'):
        sent = ApiClient(token=make_token(owner)).post("/streams/sent/events", b'{"payload":' + payload + b"}")
        assert sent.status_code == 202
    partitions = load_stream("sent").partitions

    for scan in (scan_forwards, scan_backwards):
        found = walk(scan, partitions, {}, wanted=EventFilter(text="zoë"))
        assert sorted(offset for _, offset in found) == [1, 2, 3]


def test_a_scan_is_bounded_and_says_what_is_left(partitions, monkeypatch):
    monkeypatch.setattr(event_scan, "STEP_EVENTS", 10)
    monkeypatch.setattr(event_scan, "MAX_SCANNED_EVENTS", 20)
    piece = scan_forwards(partitions, {}, wanted=EventFilter(type="nothing"), limit=10)

    assert piece.events == []
    assert piece.scanned == 20
    assert piece.left == 100


def test_large_events_are_not_passed_by_backwards(db_with_commits, monkeypatch):
    stream = make_stream("large")
    append(stream, *({"payload": "x" * 3000} for _ in range(20)))
    monkeypatch.setattr(event_scan, "STEP_BYTES", 10_000)
    partitions = load_stream("large").partitions

    assert walk(scan_backwards, partitions, {}, limit=50) == [(0, offset) for offset in range(20, 0, -1)]


@pytest.mark.parametrize("text", ["", "0", "0=", "0=-1", "0=1;1=2", "x=1", "0=99999999999999999999999", "0=1," * 300])
def test_positions_that_nobody_wrote_are_no_positions(partitions, text):
    assert read_positions(text, partitions) is None


def test_positions_survive_a_url(partitions):
    assert read_positions(write_positions({1: 7, 0: 18}), partitions) == {0: 18, 1: 7}
