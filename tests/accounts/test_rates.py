"""Rates hold for a key and for its owner, in one process and across many, with Redis and without."""

import os
import uuid

import pytest
import redis

from accounts.caller import Caller
from accounts.errors import RateLimited
from accounts.limits.buckets import Rate
from accounts.limits.rates import BYTES, EVENTS, REQUESTS, Rates
from accounts.limits.shared_levels import PREFIX, SharedLevels

TEN = Rate(per_second=10, burst=10)
HUNDRED = Rate(per_second=100, burst=100)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def caller(user_id: int = 1, key_id: str | None = "a") -> Caller:
    return Caller(user_id=user_id, email="p@example.com", roles=frozenset(), key_id=key_id)


def may(rates: Rates, who: Caller, *kinds: str) -> RateLimited | None:
    try:
        rates.admit(who, *kinds)
    except RateLimited as error:
        return error
    return None


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_has_its_limit_and_another_of_the_owner_its_own(clock):
    rates = Rates(key={REQUESTS: TEN}, owner={}, clock=clock)
    for _ in range(10):
        rates.admit(caller(), REQUESTS)
        rates.spend(caller(), REQUESTS, 1)
    refused = may(rates, caller(), REQUESTS)
    assert refused is not None
    assert (refused.bucket, refused.whose, refused.retry_after_seconds) == ("requests", "key", 1)
    assert may(rates, caller(key_id="b"), REQUESTS) is None
    clock.now = 0.2
    assert may(rates, caller(), REQUESTS) is None


def test_an_owner_has_one_limit_whatever_the_key_and_a_neighbour_another(clock):
    rates = Rates(key={}, owner={EVENTS: TEN}, clock=clock)
    rates.spend(caller(key_id="a"), EVENTS, 6)
    rates.spend(caller(key_id="b"), EVENTS, 24)
    refused = may(rates, caller(key_id=None), EVENTS)
    assert refused is not None
    assert (refused.bucket, refused.whose, refused.retry_after_seconds) == ("events", "owner", 2)
    assert may(rates, caller(user_id=2), EVENTS) is None


def test_the_longest_wait_is_told(clock):
    rates = Rates(key={EVENTS: TEN, BYTES: TEN}, owner={BYTES: HUNDRED}, clock=clock)
    rates.spend(caller(), EVENTS, 30)
    rates.spend(caller(), BYTES, 60)
    refused = may(rates, caller(), EVENTS, BYTES)
    assert refused is not None
    assert (refused.bucket, refused.retry_after_seconds) == ("bytes", 5)
    assert may(rates, caller(), REQUESTS) is None, "what has no limit is not looked at"


def test_only_so_many_callers_are_remembered_the_latest(clock, monkeypatch):
    monkeypatch.setattr("accounts.limits.rates.MAX_BUCKETS", 3)
    rates = Rates(key={REQUESTS: TEN}, owner={}, clock=clock)
    for name in "abcd":
        rates.spend(caller(key_id=name), REQUESTS, 20)
    assert len(rates._buckets) == 3
    assert may(rates, caller(key_id="d"), REQUESTS) is not None


# --- across processes --------------------------------------------------------------------------------------


@pytest.fixture
def owner() -> Caller:
    return caller(user_id=uuid.uuid4().int % 10**12, key_id=None)


@pytest.fixture
def levels() -> SharedLevels:
    return SharedLevels(os.environ["REDIS_URL"])


@pytest.mark.database
def test_two_processes_have_one_limit_between_them(owner, levels, clock):
    one, two = (Rates(key={}, owner={EVENTS: HUNDRED}, clock=clock) for _ in range(2))
    one.spend(owner, EVENTS, 60)
    two.spend(owner, EVENTS, 70)
    assert may(one, owner, EVENTS) is None, "as far as it knows"
    for rates in (one, two, one):
        may(rates, owner, EVENTS)
        rates.exchange(levels)
    for rates in (one, two):
        refused = may(rates, owner, EVENTS)
        assert refused is not None, "thirty more than they had"


@pytest.mark.database
def test_what_is_spent_between_two_rounds_is_told_once(owner, levels, clock):
    rates = Rates(key={}, owner={EVENTS: Rate(per_second=0.001, burst=100)}, clock=clock)
    for _ in range(3):
        rates.spend(owner, EVENTS, 20)
        rates.exchange(levels)
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        name = f"{PREFIX}owner:{owner.user_id}:events"
        assert float(client.hget(name, "level") or 0) == pytest.approx(40, abs=0.1)
        assert 0 < client.pttl(name) <= 60_000 / 0.001 + 1_000


@pytest.mark.database
def test_a_bucket_that_is_full_again_is_forgotten(owner, levels, clock):
    rates = Rates(key={}, owner={EVENTS: Rate(per_second=1_000, burst=100)}, clock=clock)
    rates.spend(owner, EVENTS, 10)
    rates.exchange(levels)
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        assert 0 < client.pttl(f"{PREFIX}owner:{owner.user_id}:events") <= 1_010


def test_without_redis_each_process_goes_by_its_own_count(owner, clock, caplog):
    gone = SharedLevels("redis://127.0.0.1:9/0")
    rates = Rates(key={}, owner={EVENTS: TEN}, clock=clock)
    rates.spend(owner, EVENTS, 20)
    rates.exchange(gone)
    assert may(rates, owner, EVENTS) is not None
    clock.now = 2.0
    assert may(rates, owner, EVENTS) is None
    rates.exchange(gone)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "eventflow.limits"]
    assert "Redis is away" in line, "said once, not at each round"


def test_who_did_nothing_since_is_not_told_of_again(clock):
    class Told:
        def __init__(self) -> None:
            self.rounds: list[object] = []

        def spend(self, spent):
            self.rounds.append(spent)
            return {}

    told = Told()
    rates = Rates(key={REQUESTS: TEN}, owner={}, clock=clock)
    rates.spend(caller(), REQUESTS, 1)
    rates.exchange(told)
    rates.exchange(told)
    assert told.rounds == [{("key:a", REQUESTS): (TEN, 1.0)}]
