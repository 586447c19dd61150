"""Whatever is done to partitions, in whatever order, and by whom else in between: every answer is as a list would give.

Several engines on one database, as several processes have them, with caches of different sizes. `EXAMPLES=5000` and
more look further than the few that are looked at each time.
"""

import os
from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.errors import IdempotencyKeyReused
from streams.errors import HeadMoved, PartitionGone
from streams.log import merging
from streams.log.protocol import Deduplication, EarlierEvent, MergeLimits, PartitionAppend, Receipt
from streams.lookup import info_of
from streams.models import EventBatch, Partition
from tests.factories import make_owner, make_stream
from tests.streams.log.kept_model import KeptModel, Row, first_kept
from tests.threads import Work

LOOKS_FURTHER = "EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("EXAMPLES", "8"))
CACHES = (8 << 20, 0, 3_000)
EVER = datetime(2999, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ERASED_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)

numbers = st.integers(0, 10**6)
few = st.integers(0, 40)
where = st.sampled_from([0, 0, 0, 1])
sizes = st.sampled_from([0, 0, 0, 5, 30, 300, 2_000])

appends = st.tuples(
    st.just("append"),
    st.lists(st.tuples(where, st.integers(1, 6), sizes), min_size=1, max_size=3),
    st.sampled_from(["plain", "plain", "ids", "ids", "new ids", "head", "timed", "receipt", "placed"]),
    numbers,
)
# From near the beginning often, where many have read before, and as little as they did.
reads = st.tuples(
    st.just("read"),
    st.sampled_from([0, 0, 0, 1, 2]),
    where,
    st.sampled_from([0, 0, 1, 2]) | numbers,
    st.sampled_from([1, 2, 3]) | st.integers(1, 30),
    st.sampled_from([1, 90, 300, 1 << 20, 1 << 20]),
)
trims = st.tuples(
    st.just("trim"),
    where,
    st.none() | numbers,
    st.none() | st.integers(0, 12),
    st.none() | numbers,
    st.sampled_from([1, 2, 5, 50]),
)
merges = st.tuples(
    st.just("merge"), where, st.integers(1, 12), st.sampled_from([100, 1_000, 1 << 18]), st.none() | numbers, few
)
erasures = st.tuples(st.just("erase"), numbers, where, numbers)
changes = st.one_of(
    appends,
    appends,
    trims,
    merges,
    erasures,
    st.tuples(st.just("forget"), where, st.none() | numbers, few, st.integers(1, 5)),
)
moments = st.tuples(st.just("offset_at"), where, numbers)
afters = st.tuples(st.just("recorded_after"), st.lists(st.tuples(where, numbers), max_size=5))
questions = st.one_of(
    reads,
    reads,
    moments,
    afters,
    st.tuples(st.just("foresee"), st.none() | numbers, st.none() | few, st.none() | numbers),
)
# Somebody else does something before a statement of it.
interrupted = st.tuples(
    st.just("interrupted"),
    st.one_of(reads, moments, merges, st.one_of(afters, trims)),
    st.integers(1, 4),
    st.one_of(trims, changes),
)
snapshots = st.tuples(
    st.just("in an old snapshot"), st.lists(changes, min_size=1, max_size=3), st.lists(reads, min_size=1, max_size=4)
)
second_thoughts = st.tuples(st.just("erase and think again"), numbers, where, numbers, reads, reads, st.booleans())
# Each kind as often, however many of a kind there are.
operations = st.sampled_from(
    [changes, changes, questions, questions, interrupted, interrupted, snapshots, second_thoughts]
).flatmap(lambda kind: kind)


class Story:
    """Two partitions of a stream, what is done to them, and the lists that they are compared with."""

    def __init__(self, logs, owner) -> None:
        stream = make_stream(owner=owner, partitions=2)
        self.logs = logs
        self.stream_id = stream.pk
        self.models = [KeptModel(ref) for ref in info_of(stream).partitions]
        self.ids: dict[bytes, list[EarlierEvent]] = {}
        self.answers: dict[str, tuple[bytes, bytes]] = {}
        self.counted = 0
        self.least = 0

    # --- what is chosen ---

    def name(self) -> str:
        self.counted += 1
        return f"{self.stream_id}-{self.counted}"

    def moment(self, model: KeptModel, number: int) -> datetime:
        """A time about which something was recorded."""
        times = sorted({each.recorded_at for each in model.events.values()}) or [ERASED_AT]
        return times[number // 3 % len(times)] + (number % 3 - 1) * TICK

    def rows(self, model: KeptModel) -> list[Row]:
        batches = EventBatch.objects.filter(partition_id=model.ref.id).order_by("last_offset")
        return [Row(each.last_offset, each.event_count, each.recorded_at, len(each.records)) for each in batches]

    def do(self, operation) -> None:
        name, *rest = operation
        getattr(self, name.replace(" ", "_"))(*rest)

    def do_all(self, operations) -> None:
        for operation in operations:
            self.do(operation)

    # --- changes ---

    def append(self, parts, kind, number) -> None:
        log = self.logs[number % len(self.logs)]
        if kind in {"head", "receipt", "placed"}:
            parts = parts[:1]
        wanted, names = [], []
        for place, few_events, size in parts:
            model = self.models[place]
            # Of enough new ids, they are remembered together.
            count = few_events * 3 if kind in {"ids", "new ids"} and few_events > 3 else few_events
            own = [self.name() for _ in range(count)]
            records = [b'{"id":"%b","payload":"%b"}' % (each.encode(), b"x%d" % size * (size // 3)) for each in own]
            append = PartitionAppend(model.ref, records)
            if kind == "ids":
                known = list(self.ids)
                digests = [
                    known[(number + index) % len(known)] if known and (number >> index) % 3 == 0 else self.digest(each)
                    for index, each in enumerate(own)
                ]
                append = append._replace(deduplication=Deduplication(self.stream_id, 3_600, digests))
            elif kind == "new ids":
                digests = [self.made(own[0], index) for index in range(count)]
                append = append._replace(deduplication=Deduplication(self.stream_id, 3_600, digests, are_new=True))
            elif kind == "head":
                append = append._replace(expected_head=max(0, model.head - (number % 3 == 0)))
            elif kind == "timed":
                append = append._replace(timed=[index for index in range(count) if (number >> index) % 2])
            elif kind == "placed":
                append = append._replace(placed_among=1 + number % 3)
            wanted.append(append)
            names.append(own)
        receipt = None
        if kind == "receipt":
            key = f"{self.stream_id}-{number % 3}"
            receipt = Receipt("me", key, b"%d" % (number % 2), lambda ranges: repr(ranges[0].runs).encode())
            if key in self.answers:
                request_hash, body = self.answers[key]
                if request_hash != receipt.request_hash:
                    with pytest.raises(IdempotencyKeyReused):
                        log.append(wanted, receipt=receipt)
                else:
                    replay = log.append(wanted, receipt=receipt)
                    assert (replay.is_replay, replay.body) == (True, body)
                return
        if kind == "head" and wanted[0].expected_head != self.models[parts[0][0]].head:
            with pytest.raises(HeadMoved):
                log.append(wanted)
            return
        if kind == "placed" and number % 5 == 0:
            self.least = max(self.least, number % 3 + 1)
            log.place_among([each.ref for each in self.models], self.least)
        if kind == "placed" and wanted[0].placed_among < self.least:
            with pytest.raises(PartitionGone):
                log.append(wanted)
            return
        appended = log.append(wanted, receipt=receipt)
        if receipt is not None:
            self.answers[receipt.key] = (receipt.request_hash, appended.body)
        for append, (place, *_), stored in zip(wanted, parts, appended.ranges, strict=True):
            self.note(append, self.models[place], stored)

    def digest(self, name: str) -> bytes:
        return (b"\xff" * 16 + name.encode())[-16:]

    def made(self, name: str, index: int) -> bytes:
        """An id as the server makes them."""
        return b"\x01\x02\x03\x04\x05\x06\x70\x07\x80" + name.encode()[-3:].rjust(3, b"-") + index.to_bytes(4, "big")

    def note(self, append, model, stored) -> None:
        """Write down what was appended, having checked what was said of it."""
        placed = []
        ids = append.deduplication
        for position, record in enumerate(append.records):
            digest = ids and ids.digests[position]
            if digest is not None and digest in self.ids:
                assert stored.repeats[position] in self.ids[digest]
                continue
            assert position not in stored.repeats
            recorded_at = stored.recorded_at
            assert model.last_recorded_at is None or recorded_at >= model.last_recorded_at
            offset = model.append(record, recorded_at)
            placed.append(offset)
            if digest is not None:
                self.ids[digest] = [EarlierEvent(model.ref.number, offset, recorded_at)]
            if position in append.timed:
                model.timed_through = offset
        assert [each for run in stored.runs for each in range(run.first_offset, run.last_offset + 1)] == placed

    def limits(self, model, number, keep_events, keep_bytes) -> dict[str, Any]:
        size = sum(row.size for row in self.rows(model))
        return {
            "recorded_before": None if number is None else self.moment(model, number),
            "keep_events": keep_events,
            "keep_bytes": None if keep_bytes is None else keep_bytes % (size + 2),
        }

    def trim(self, place, number, keep_events, keep_bytes, max_batches) -> None:
        model = self.models[place]
        limits = self.limits(model, number, keep_events, keep_bytes)
        first = first_kept(self.rows(model), model, **limits, max_batches=max_batches)
        gone = self.logs[0].trim(model.ref, **limits, max_batches=max_batches)
        assert gone == first - model.earliest
        model.forget_before(first)

    def merge(self, place, max_events, max_bytes, number, after) -> None:
        model = self.models[place]
        before = EVER if number is None else self.moment(model, number)
        limits = MergeLimits(before, after=after, max_events=max_events, max_bytes=max_bytes)
        self.logs[1].merge(model.ref, limits)

    def erase(self, log, place, number) -> None:
        model = self.models[place]
        offset = number % (model.head + 2)
        erased = self.logs[log % len(self.logs)].erase(model.ref, offset, at=ERASED_AT)
        if offset not in model.events:
            assert erased is None
        else:
            assert erased is not None
            assert erased.is_new == model.erase(offset, ERASED_AT)
            assert erased.event == model.text(offset)

    def forget(self, place, number, up_to, max_ids) -> None:
        model = self.models[place]
        recorded_before = self.moment(model, 0) if number is None else self.moment(model, number)
        while self.logs[0].forget_ids(model.ref.id, recorded_before=recorded_before, up_to=up_to, max_ids=max_ids):
            pass
        kept: dict[bytes, list[EarlierEvent]] = {}
        for digest, [event] in self.ids.items():
            goes = event.partition_number == model.ref.number and (
                event.recorded_at < recorded_before or event.offset <= up_to
            )
            # Of a family that is cut all stay.
            if not goes or digest[:2] == b"\x01\x02":
                kept[digest] = [event]
        self.ids = kept
        if any(digest[:2] == b"\x01\x02" for digest in kept):
            self.forget_families(model)

    def forget_families(self, model) -> None:
        """Ask which families are left, for only whole ones go."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT family FROM streams_rememberedfamily WHERE stream_id = %s", [self.stream_id])
            families = {each.bytes[:12] for (each,) in cursor.fetchall()}
            cursor.execute("SELECT digest FROM streams_rememberedid WHERE stream_id = %s", [self.stream_id])
            alone = {each.bytes for (each,) in cursor.fetchall()}
        self.ids = {
            digest: event
            for digest, event in self.ids.items()
            if digest[:2] != b"\x01\x02" or digest[:12] in families or digest in alone
        }

    # --- questions ---

    def read(self, log, place, after, max_events, max_bytes) -> None:
        model = self.models[place]
        limits = {"after": after % (model.head + 3), "max_events": max_events, "max_bytes": max_bytes}
        found = self.logs[log % len(self.logs)].read(model.ref, **limits)
        same_read(found, model.read(**limits))

    def offset_at(self, place, number) -> None:
        model = self.models[place]
        at = self.moment(model, number)
        assert self.logs[0].offset_at(model.ref, at) == model.offset_at(at)

    def recorded_after(self, asked) -> None:
        positions = [(self.models[place], number % (self.models[place].head + 2)) for place, number in asked]
        found = self.logs[0].recorded_after([(model.ref, after) for model, after in positions])
        assert list(found) == [model.recorded_after(after) for model, after in positions]

    def foresee(self, number, keep_events, keep_bytes) -> None:
        limits = self.limits(self.models[0], number, keep_events, keep_bytes)
        fronts = self.logs[0].foresee_trim([each.ref for each in self.models], **limits)
        for model in self.models:
            first = first_kept(self.rows(model), model, **limits)
            assert fronts[model.ref.id] == (model.earliest, first, model.recorded_after(first - 1), False)

    # --- and somebody else in between ---

    def interrupted(self, operation, statement, change) -> None:
        before = deepcopy(self.models)
        name, *rest = operation
        with self.before_statement(statement, lambda: self.do(change)):
            if name == "read":
                log, place, after, max_events, max_bytes = rest
                model, now = before[place], self.models[place]
                limits = {"after": after % (model.head + 3), "max_events": max_events, "max_bytes": max_bytes}
                found = self.logs[log % len(self.logs)].read(model.ref, **limits)
                between(found, model, now, **limits)
            elif name == "offset_at":
                place, number = rest
                at = self.moment(before[place], number)
                found = self.logs[0].offset_at(before[place].ref, at)
                assert before[place].offset_at(at) <= found <= self.models[place].offset_at(at)
            elif name == "merge":
                self.do(operation)
            elif name == "trim":
                place, number, keep_events, keep_bytes, max_batches = rest
                model = self.models[place]
                limits = self.limits(model, number, keep_events, keep_bytes)
                gone = self.logs[0].trim(model.ref, **limits, max_batches=max_batches)
                model.forget_before(model.earliest + gone)
            elif name == "recorded_after":
                self.do(operation)

    @contextmanager
    def before_statement(self, number: int, call: Callable[[], None]):
        count = 0

        def wrapper(execute, sql, *rest):
            nonlocal count
            count += 1
            if count == number:
                call()
            assert count < 300
            return execute(sql, *rest)

        with connection.execute_wrapper(wrapper):
            yield

    def in_an_old_snapshot(self, changes, reads) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT 1 FROM streams_partition LIMIT 1")
            before = deepcopy(self.models)
            Work(lambda: self.do_all(changes)).result()
            for each in reads:
                self.read_as_of(before, *each[1:])
        for each in reads:
            self.do(each)

    def read_as_of(self, models, log, place, after, max_events, max_bytes) -> None:
        limits = {"after": after % (models[place].head + 3), "max_events": max_events, "max_bytes": max_bytes}
        found = self.logs[log % len(self.logs)].read(models[place].ref, **limits)
        same_read(found, models[place].read(**limits))

    def erase_and_think_again(self, log, place, number, inside, outside, is_kept) -> None:
        before = deepcopy(self.models)
        try:
            with transaction.atomic():
                self.erase(log, place, number)
                self.do(inside)
                Work(lambda: self.read_as_of(before, *outside[1:])).result()
                if not is_kept:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            self.models = before
        self.do(inside)
        self.do(outside)

    # --- in the end ---

    def check(self) -> None:
        assert self.logs[0].bounds([each.ref for each in self.models]) == {
            each.ref.id: each.bounds for each in self.models
        }
        for model in self.models:
            rows = self.rows(model)
            row = Partition.objects.get(pk=model.ref.id)
            assert (row.earliest_offset, row.head_offset) == (model.earliest, model.head)
            assert row.stored_bytes == sum(each.size for each in rows)
            assert sum(each.event_count for each in rows) == len(model.events)
            for log in self.logs:
                for after in (0, model.head // 2):
                    limits = {"after": after, "max_events": 10_000, "max_bytes": 1 << 24}
                    same_read(log.read(model.ref, **limits), model.read(**limits))
        self.check_ids()

    def check_ids(self) -> None:
        oldest = self.logs[0].oldest_ids([each.ref for each in self.models])
        for model in self.models:
            own = [event for [event] in self.ids.values() if event.partition_number == model.ref.number]
            if not own:
                assert model.ref.id not in oldest
            else:
                first = min(own, key=lambda each: each.offset)
                assert oldest[model.ref.id] == (first.offset, first.recorded_at, model.head)


def same_read(found, expected) -> None:
    assert (list(found.offsets), found.next_offset, found.gap, found.bounds) == (
        list(expected.offsets),
        expected.next_offset,
        expected.gap,
        expected.bounds,
    )
    assert list(found.events) == list(expected.events)


def between(found, before, now, *, after, max_events, max_bytes) -> None:
    """Check a read during which something was changed: as of before, as of after, or what was there all the time."""
    assert found.bounds in (before.bounds, now.bounds)
    first = after + 1 if found.gap is None else found.gap.last_offset + 1
    assert list(found.offsets) == list(range(first, first + len(found.events)))
    assert found.next_offset == first + len(found.events) - 1
    assert found.gap is None or found.gap.first_offset == after + 1
    for offset, text in zip(found.offsets, found.events, strict=True):
        assert text in [each.text(offset) for each in (before, now) if offset in each.events]
    assert len(found.events) <= max(1, max_events)
    assert len(found.events) <= 1 or sum(map(len, found.events)) <= max_bytes
    kept = [offset for offset in now.events if offset > after and offset in before.events]
    assert found.events or not kept
    assert found.gap is None or found.gap.last_offset < now.earliest


@pytest.fixture
def logs(make_log, monkeypatch):
    # So that few batches are many.
    monkeypatch.setattr(merging, "MERGE_OPEN_BATCHES", 2)
    monkeypatch.setattr(merging, "MERGE_STEP_BATCHES", 7)
    monkeypatch.setattr(merging, "MERGE_STEP_MERGED", 2)
    return [make_log(cache_bytes=size) for size in CACHES]


@pytest.fixture
def owner(db_with_commits):
    return make_owner()


@settings(
    max_examples=EXAMPLES,
    derandomize=not LOOKS_FURTHER,
    database=None,
    # To make a failure small takes minutes.
    phases=tuple(Phase) if LOOKS_FURTHER else [Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(first=st.lists(appends, min_size=3, max_size=12), then=st.lists(operations, min_size=5, max_size=40))
def test_every_answer_is_as_a_list_would_give(logs, owner, first, then):
    story = Story(logs, owner)
    story.do_all([*first, *then])
    story.check()
    refs = [each.ref for each in story.models]
    logs[0].drop(refs)
    for log in logs:
        with pytest.raises(PartitionGone):
            log.read(refs[0], after=0, max_events=1, max_bytes=1)
