"""An engine that has failed several times one after the other is left alone for a moment, then one call tries."""

import pytest
from prometheus_client import REGISTRY

from streams.conf import BREAKER_FAILURES, BREAKER_SECONDS
from streams.errors import AppendNotStored, AppendOutcomeUnknown, HeadMoved, LogUnavailable
from streams.log import breaker
from streams.log.breaker import Breaker


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(breaker, "monotonic", clock)
    return clock


@pytest.fixture
def kafka(clock):
    return Breaker("kafka-main")


def call(guard, error=None):
    with guard.guard():
        if error is not None:
            raise error
    return "answered"


def away():
    return LogUnavailable("kafka-main", "it does not answer")


def fail(guard, times, make=away):
    for _ in range(times):
        error = make()
        with pytest.raises(type(error)):
            call(guard, error)


def test_fewer_failures_than_that_stop_nobody(kafka):
    fail(kafka, BREAKER_FAILURES - 1)
    assert call(kafka) == "answered"
    fail(kafka, BREAKER_FAILURES - 1)
    assert (call(kafka), kafka.reason) == ("answered", "")


@pytest.mark.parametrize("make", [away, AppendOutcomeUnknown])
def test_after_so_many_it_is_not_called_and_the_reason_is_told(kafka, make):
    fail(kafka, BREAKER_FAILURES, make)
    with pytest.raises(LogUnavailable) as refusal, kafka.guard():
        pytest.fail("it was called")
    assert refusal.value.alias == "kafka-main"
    assert refusal.value.reason == kafka.reason != ""
    assert refusal.value.retry_after_seconds == 1


@pytest.mark.parametrize("error", [HeadMoved(expected=1, head=2), AppendNotStored()])
def test_what_an_engine_refuses_is_no_failure(kafka, error):
    fail(kafka, BREAKER_FAILURES + 1, lambda: error)
    assert call(kafka) == "answered"


def test_after_a_moment_one_call_tries_and_the_others_wait_for_it(kafka, clock):
    fail(kafka, BREAKER_FAILURES)
    clock.now += BREAKER_SECONDS
    with kafka.guard(), pytest.raises(LogUnavailable):
        call(kafka)
    assert (call(kafka), call(kafka)) == ("answered", "answered")


def test_a_try_that_fails_opens_it_again(kafka, clock):
    fail(kafka, BREAKER_FAILURES)
    clock.now += BREAKER_SECONDS
    fail(kafka, 1)
    with pytest.raises(LogUnavailable), kafka.guard():
        pytest.fail("it was called")


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, {"engine": "kafka-main", **labels}) or 0.0


def test_failures_are_counted_by_what_is_known_then_and_how_often_it_is_left_alone(kafka):
    def all_counted():
        return [
            counted("eventflow_engine_failures_total", outcome="unavailable"),
            counted("eventflow_engine_failures_total", outcome="unknown"),
            counted("eventflow_engine_left_alone_total"),
        ]

    before = all_counted()
    fail(kafka, BREAKER_FAILURES - 1)
    fail(kafka, 1, AppendOutcomeUnknown)
    with pytest.raises(LogUnavailable):
        call(kafka)
    assert [now - then for now, then in zip(all_counted(), before, strict=True)] == [BREAKER_FAILURES - 1, 1, 1]
