"""How old what is unfinished in another engine is: seen by a tick, and told by lists, metrics and alerts that ask none."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Role
from consumers import conf
from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup, UnfinishedSighting
from consumers.services import unfinished_sightings
from consumers.services.unfinished_sightings import look_at_unfinished
from observability.numbers.holdings import load_holdings
from observability.numbers.outlook import list_group_numbers
from streams.models import MoveState, Partition, Stream
from streams.services.foreign_ends import look_at_ends
from streams.services.moving.asking import ask_for_move
from streams.services.moving.steps import carry_out
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_user
from tests.observability.alerts.rules import look, make_rule

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    made = client.post("/streams", {"name": "orders", "engine": "distant", "retention": {"max_age": 7_200}})
    assert made.status_code == 201, made.content
    client.post("/streams/orders/consumer-groups", {"name": "billing"})
    return client


def append(shop, count=1):
    shop.post("/streams/orders/events", [{"payload": n} for n in range(count)])
    look_at_ends()


def commit(shop, offset):
    answer = shop.post("/streams/orders/consumer-groups/billing/offsets", {"offset": offset})
    assert answer.status_code == 200, answer.content


def lag_seconds(later=timedelta()):
    [standing] = list_standings(ConsumerGroup.objects.all(), now=timezone.now() + later)
    return standing.lag_seconds


def seen_again(later=timedelta()):
    return look_at_unfinished(now=timezone.now() + later)


def test_nobody_knows_before_it_was_seen_and_then_it_ages(shop):
    append(shop, 3)
    assert lag_seconds(HOUR) is None
    assert seen_again() == 1
    assert lag_seconds(HOUR) == pytest.approx(3_600, abs=60)
    # Also while the engine is away, or nobody looks: the group stands where it stood.
    assert lag_seconds(24 * HOUR) == pytest.approx(24 * 3_600, abs=60)


def test_of_a_group_that_goes_on_it_is_as_it_was_last_seen(shop):
    append(shop, 3)
    seen_again(HOUR)
    commit(shop, 1)
    # Not older: the event that was the first then is finished.
    assert lag_seconds(HOUR + timedelta(seconds=300)) == pytest.approx(3_600, abs=60)
    assert lag_seconds(HOUR + timedelta(seconds=conf.UNFINISHED_SEEN_SECONDS + 60)) is None
    commit(shop, 3)
    assert lag_seconds(HOUR) is None


def test_an_engine_that_is_away_is_passed(shop, distant):
    append(shop)
    distant.weather.is_away = True
    assert seen_again() == 0
    assert lag_seconds(HOUR) is None


def test_one_topic_that_is_gone_hides_no_other_stream(shop, distant):
    shop.post("/streams", {"name": "clicks", "engine": "distant"})
    shop.post("/streams/clicks/events", {"payload": 1})
    shop.post("/streams/clicks/consumer-groups", {"name": "counting"})
    look_at_ends()
    distant.weather.gone = {each for each in distant.topics if each.startswith("clicks")}
    append(shop)
    assert Partition.objects.get(stream__name="orders").head_offset == 1
    assert seen_again() == 1
    ages = {
        each.name: each.lag_seconds for each in list_standings(ConsumerGroup.objects.all(), now=timezone.now() + HOUR)
    }
    assert ages == {"billing": pytest.approx(3_600, abs=60), "counting": None}


def test_positions_in_an_engine_that_is_away_do_not_come_first_for_ever(shop, distant, monkeypatch):
    append(shop)
    shop.post("/streams/orders/consumer-groups", {"name": "shipping"})
    monkeypatch.setattr(unfinished_sightings, "MAX_UNFINISHED_LOOKED_AT", 1)
    assert seen_again() == 1
    distant.weather.is_away = True
    for minutes in (1, 2, 3):
        assert seen_again(timedelta(minutes=minutes)) == 0
    looked = UnfinishedSighting.objects.values_list("looked_at", flat=True)
    assert all(each > timezone.now() + timedelta(minutes=1.5) for each in looked)
    assert len(looked) == 2
    # What was seen is still known, and what was not is not.
    ages = {
        each.name: each.lag_seconds for each in list_standings(ConsumerGroup.objects.all(), now=timezone.now() + HOUR)
    }
    assert ages == {"billing": pytest.approx(3_600, abs=60), "shipping": None}


def test_those_that_nobody_has_looked_at_for_longest_come_first(shop, monkeypatch):
    append(shop)
    shop.post("/streams/orders/consumer-groups", {"name": "shipping"})
    monkeypatch.setattr(unfinished_sightings, "MAX_UNFINISHED_LOOKED_AT", 1)
    for hours in range(1, 5):
        assert seen_again(hours * HOUR) == 1
    sightings = UnfinishedSighting.objects.order_by("group_id")
    assert [each.seen_at > timezone.now() + 2.5 * HOUR for each in sightings] == [True, True]


def test_what_moved_to_postgresql_is_asked_there_and_no_longer_remembered(shop, distant):
    append(shop, 2)
    seen_again()
    commit(shop, 2)
    moved = carry_out(ask_for_move(stream=Stream.objects.get(), target="postgres", allow_weak=True))
    assert moved.state == MoveState.MOVED
    append(shop)
    assert seen_again() == 0
    assert list(UnfinishedSighting.objects.values_list("recorded_at", flat=True)) == [None]
    assert lag_seconds(HOUR) == pytest.approx(3_600, abs=60)


def test_what_lies_in_postgresql_holds_up_nobody(shop, monkeypatch):
    append(shop)
    assert carry_out(ask_for_move(stream=Stream.objects.get(), target="postgres", allow_weak=True)).finished_at
    commit(shop, 1)
    append(shop)
    shop.post("/streams", {"name": "clicks", "engine": "distant"})
    shop.post("/streams/clicks/consumer-groups", {"name": "counting"})
    shop.post("/streams/clicks/events", {"payload": 1})
    look_at_ends()
    monkeypatch.setattr(unfinished_sightings, "MAX_UNFINISHED_LOOKED_AT", 1)
    assert [seen_again(HOUR), seen_again(2 * HOUR)] == [0, 1]


def test_metrics_the_risk_of_retention_and_alerts_know_it(shop, client):
    append(shop)
    make_rule(make_user(Role.ADMIN), "lag_seconds", threshold=3_000)
    make_rule(make_user(Role.ADMIN), "retention_risk", threshold=100_000)
    assert look() == []
    seen_again()
    UnfinishedSighting.objects.update(recorded_at=F("recorded_at") - HOUR)
    assert [kind for kind, _ in look()] == ["fired", "fired"]
    metrics = client.get("/metrics").content.decode()
    [age] = [line for line in metrics.splitlines() if line.startswith("eventflow_group_lag_seconds{")]
    assert float(age.split()[-1]) == pytest.approx(3_600, abs=60)
    now = timezone.now()
    holdings = load_holdings(stream_ids=[Stream.objects.get().pk], now=now)
    [numbers] = list_group_numbers(ConsumerGroup.objects.all(), holdings, now=now)
    assert numbers.outlook.retention_risk_seconds == pytest.approx(3_600, abs=60)


def test_with_one_engine_nobody_asks(db_with_commits):
    assert seen_again() == 0
    with CaptureQueriesContext(connection) as queries:
        list_standings(ConsumerGroup.objects.all(), now=timezone.now())
    assert not [each for each in queries if "unfinishedsighting" in each["sql"]]
