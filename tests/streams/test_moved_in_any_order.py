"""A stream that moves between engines, in whatever order with all else: every answer is as if it had never moved.

Also to those who remember it as it was before a move. `EXAMPLES=1000` and more look further.
"""

import os

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streams.log import SIGHTINGS, current_epochs, get_log, merging
from streams.log.protocol import MergeLimits, PartitionAppend
from streams.lookup import load_stream
from streams.models import MoveState, Partition
from streams.services.foreign_ends import look_at_ends
from streams.services.moving.asking import ask_for_move
from streams.services.moving.leftovers import forget_empty_stretches
from streams.services.moving.steps import carry_out
from tests.factories import make_owner, make_stream
from tests.streams.log.appending import event
from tests.streams.log.kept_model import KeptModel
from tests.streams.log.test_any_order import EVER, TICK

LOOKS_FURTHER = "EXAMPLES" in os.environ
numbers = st.integers(0, 10**6)
small = st.integers(0, 12)
operations = st.sampled_from(
    [
        st.tuples(st.just("append"), st.integers(1, 4), numbers),
        st.tuples(st.just("append"), st.integers(1, 4), numbers),
        st.tuples(st.just("move")),
        st.tuples(st.just("read"), numbers, numbers, st.integers(1, 9), st.sampled_from([1, 300, 1 << 20])),
        st.tuples(st.just("read"), numbers, numbers, st.integers(1, 9), st.sampled_from([1, 300, 1 << 20])),
        st.tuples(st.just("bounds"), numbers),
        st.tuples(st.just("moments"), numbers),
        st.tuples(st.just("trim"), st.none() | small, st.none() | numbers),
        st.tuples(st.just("merge")),
        st.tuples(st.just("tick")),
    ]
).flatmap(lambda kind: kind)


class Story:
    """A stream with one partition, those who remember it as it was, and the list that it is compared with."""

    def __init__(self, owner) -> None:
        self.stream = make_stream(owner=owner)
        self.refs = [self.ref()]
        self.model = KeptModel(self.refs[0])
        self.counted = 0

    def ref(self):
        return load_stream(self.stream.name).partitions[0]

    def do(self, operation) -> None:
        name, *rest = operation
        getattr(self, name)(*rest)

    def append(self, count, number) -> None:
        self.counted += count
        records = [event(f"{self.counted}-{index}") for index in range(count)]
        [stored] = get_log().append([PartitionAppend(self.ref(), records)]).ranges
        for record, at in zip(
            records,
            [each.recorded_at for each in stored.runs for _ in range(each.first_offset, each.last_offset + 1)],
            strict=True,
        ):
            self.model.append(record, at)
        assert stored.last_offset == self.model.head
        if number % 2:
            SIGHTINGS.write()

    def move(self) -> None:
        SIGHTINGS.write()
        self.stream.refresh_from_db()
        target = "distant" if self.stream.engine == "postgres" else "postgres"
        assert carry_out(ask_for_move(stream=self.stream, target=target, allow_weak=True)).state == MoveState.MOVED
        self.refs.append(self.ref())

    def read(self, number, after, max_events, max_bytes) -> None:
        after %= self.model.head + 2
        limits = {"after": after, "max_events": max_events, "max_bytes": max_bytes}
        found = get_log().read(self.refs[number % len(self.refs)], **limits)
        expected = self.model.read(**limits)
        # A slice ends with its stretch.
        count = len(found.events)
        assert list(found.events) == list(expected.events)[:count]
        assert bool(found.events) == bool(expected.events)
        assert list(found.offsets) == list(expected.offsets)[:count]
        assert found.gap == expected.gap
        assert found.next_offset == (found.offsets[-1] if count else expected.next_offset)

    def bounds(self, number) -> None:
        SIGHTINGS.write()
        look_at_ends()
        ref = self.refs[number % len(self.refs)]
        assert get_log().bounds([ref])[ref.id][:2] == self.model.bounds[:2]

    def moments(self, number) -> None:
        ref = self.ref()
        times = sorted({each.recorded_at for each in self.model.events.values()}) or [timezone.now()]
        at = times[number // 3 % len(times)] + (number % 3 - 1) * TICK
        assert get_log().offset_at(ref, at) == self.model.offset_at(at)
        after = number % (self.model.head + 2)
        assert list(get_log().recorded_after([(ref, after)])) == [self.model.recorded_after(after)]

    def trim(self, keep_events, number) -> None:
        SIGHTINGS.write()
        ref = self.ref()
        times = sorted({each.recorded_at for each in self.model.events.values()}) or [timezone.now()]
        limits = {
            "keep_events": keep_events,
            "recorded_before": None if number is None else times[number % len(times)],
        }
        front = get_log().foresee_trim([ref], **limits)[ref.id]
        assert front.earliest_offset == self.model.earliest
        gone = 0
        while step := get_log().trim(ref, **limits):
            gone += step
        assert front.first_kept == get_log().bounds([ref])[ref.id].earliest_offset
        # What is gone of a stretch elsewhere is not counted by its own.
        assert gone == front.first_kept - front.earliest_offset
        kept = len(self.model.events) - gone
        assert number is not None or keep_events is None or kept >= min(keep_events, len(self.model.events))
        if number is not None:
            assert all(
                each.recorded_at < limits["recorded_before"] or keep_events is not None
                for offset, each in self.model.events.items()
                if offset < front.first_kept
            )
        self.model.forget_before(front.first_kept)
        assert front.kept_since == self.model.recorded_after(0)

    def merge(self) -> None:
        get_log().merge(self.ref(), MergeLimits(EVER, max_events=6))

    def tick(self) -> None:
        SIGHTINGS.write()
        look_at_ends()
        forget_empty_stretches(now=timezone.now())

    def check(self) -> None:
        self.tick()
        row = Partition.objects.get(pk=self.model.ref.id)
        assert (row.head_offset, row.earliest_offset) == (self.model.head, self.model.earliest)
        for number in range(len(self.refs)):
            for after in range(self.model.head + 1):
                self.read(number, after, 100, 1 << 20)
            self.bounds(number)


@pytest.fixture
def owner(distant, monkeypatch):
    monkeypatch.setattr(merging, "MERGE_OPEN_BATCHES", 2)
    # Whoever remembers an older place asks each time, and not each second.
    monkeypatch.setattr(current_epochs, "EPOCH_MEMORY_SECONDS", 0.0)
    return make_owner()


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "4")),
    derandomize=not LOOKS_FURTHER,
    database=None,
    # To make a failure small takes minutes.
    phases=tuple(Phase) if LOOKS_FURTHER else [Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(done=st.lists(operations, min_size=5, max_size=25))
def test_every_answer_is_as_if_it_had_never_moved(owner, done):
    story = Story(owner)
    for operation in done:
        story.do(operation)
    story.check()
