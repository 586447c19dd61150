"""What is told of engines beside PostgreSQL: where they are looked after, and before anything starts with them."""

from datetime import timedelta

import pytest
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import timezone

from observability.dashboard.queries.system_health import forget_system_health, get_system_health
from observability.models import RollupCursor
from observability.numbers.rollups import roll_up
from observability.operations.transfer import export_events, import_events
from observability.operations.verify_log import verify_partition
from streams.checks import ask_engines, check_engines, check_engines_of_streams
from streams.log.engines import get_engines
from streams.log.protocol import TopicTroubles
from streams.lookup import load_stream
from streams.models import Partition
from streams.services.engine_watch import list_engine_sightings, look_after_engines
from streams.services.foreign_ends import look_at_ends
from streams.services.limits_by_bytes import tell_limits_by_bytes
from streams.tasks import look_after_topics
from tests.client import ApiClient
from tests.factories import make_key, make_owner


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    client.post("/streams", {"name": "orders", "engine": "distant"})
    return client


def forget_healths():
    get_engines()._healths.forget()
    forget_system_health()


# --- while it runs ---


def test_an_engine_that_is_away_is_degraded_by_name_and_keeps_no_requests_away(shop, distant, client):
    assert [each for each in client.get("/readyz").json()["degraded"] if "engine" in each] == []
    distant.weather.is_away = True
    forget_healths()
    told = client.get("/readyz").json()
    assert "engine distant: it is away; its streams answer 503, all others go on" in told["degraded"]
    assert [each for each in told["reasons"] if "engine" in each] == []


def test_the_overview_and_prometheus_know_it_as_well(shop, distant, client):
    for is_away, level, up in ((False, "good", 1), (True, "warn", 0)):
        distant.weather.is_away = is_away
        forget_healths()
        parts = {part.name: part for part in get_system_health(now=timezone.now()).parts}
        assert parts["Engine distant"].level == level
        metrics = client.get("/metrics").content.decode()
        assert f'eventflow_engine_up{{engine="distant"}} {up}' in metrics
        assert f'eventflow_engine_durable{{engine="distant"}} {up}' in metrics


def test_what_is_wrong_with_one_that_answers_is_told_until_nobody_looks_any_more(shop, distant, client, caplog):
    distant.weather.troubles = TopicTroubles(3, 2, 1, ("three partitions are behind",), ("orders.1.1/0",))
    now = timezone.now()
    assert look_after_engines(now=now) == look_after_engines(now=now) == 1
    # Names are for those who run it, and told once.
    assert [each.getMessage() for each in caplog.records if "orders.1.1" in each.getMessage()] == [
        "engine distant: three partitions are behind (orders.1.1/0)"
    ]
    forget_healths()
    assert "engine distant: three partitions are behind" in client.get("/readyz").json()["degraded"]
    parts = {part.name: part for part in get_system_health(now=timezone.now()).parts}
    assert (parts["Engine distant"].level, parts["Engine distant"].note) == (
        "warn",
        "three partitions are behind",
    )
    metrics = client.get("/metrics").content.decode()
    for name, count in (("under_replicated", 3), ("below_minimum", 2), ("leaderless", 1)):
        assert f'eventflow_engine_{name}_partitions{{engine="distant"}} {count}' in metrics
    assert list_engine_sightings(now=now + timedelta(seconds=61)) == []
    distant.weather.troubles = TopicTroubles()
    assert look_after_engines(now=now) == 0
    assert [each for each in client.get("/readyz").json()["degraded"] if "distant" in each] == []


# --- roll-ups ---


def test_events_of_another_engine_are_rolled_up_once(shop, distant):
    shop.post("/streams/orders/events", [{"payload": n} for n in range(5)])
    look_at_ends()
    assert [roll_up(seconds=0), roll_up(seconds=0)] == [5, 0]
    shop.post("/streams/orders/events", {"payload": 5})
    look_at_ends()
    assert roll_up(seconds=0) == 1
    stats = shop.get("/streams/orders/stats").json()
    assert (stats["event_count"], stats["head_offset"]) == (6, 6)
    assert sum(each["events"] for each in stats["series"]) == 6


def test_what_another_worker_has_rolled_up_meanwhile_is_not_added_again(shop, distant, monkeypatch):
    shop.post("/streams/orders/events", [{"payload": n} for n in range(5)])
    look_at_ends()
    read = distant.read

    def read_and_be_overtaken(*args, **more):
        monkeypatch.setattr(distant, "read", read)
        assert roll_up(seconds=0) == 5
        return read(*args, **more)

    monkeypatch.setattr(distant, "read", read_and_be_overtaken)
    assert roll_up(seconds=0) == 0
    assert RollupCursor.objects.get().rolled_up_offset == 5
    stats = shop.get("/streams/orders/stats").json()
    assert sum(each["events"] for each in stats["series"]) == 5


def test_while_it_is_away_the_others_are_rolled_up(shop, distant):
    shop.post("/streams", {"name": "here"})
    for stream in ("orders", "here"):
        shop.post(f"/streams/{stream}/events", {"payload": 1})
    look_at_ends()
    distant.weather.is_away = True
    assert roll_up(seconds=0) == 1
    assert shop.get("/streams/orders/stats").status_code == 200


# --- operations ---


def test_a_stream_there_is_exported_imported_and_verified_as_any_other(shop, distant, monkeypatch):
    shop.post("/streams/orders/events", [{"key": "a", "payload": n} for n in range(5)])
    shop.post("/streams", {"name": "copy", "engine": "distant"})
    lines = [line for portion in export_events(load_stream("orders")) for line in portion]
    assert len(lines) == 5
    copy = load_stream("copy")
    seen = []
    append = distant.append
    monkeypatch.setattr(distant, "append", lambda appends, **more: seen.extend(appends) or append(appends, **more))
    assert list(import_events(copy, lines, partitions=1)) == [(5, 0)]
    assert [each.keys for each in seen] == [[b"a"] * 5]
    look_at_ends()
    assert list(verify_partition(copy.partitions[0], advance=lambda count: None)) == []


# --- before it starts ---


def test_settings_that_can_be_used_are_silent(distant):
    assert check_engines() == []


@pytest.mark.parametrize(
    ("engine", "code", "words"),
    [
        ({"ENGINE": "tests.nowhere", "OPTIONS": {}}, "streams.E001", "main: tests.nowhere cannot be imported"),
        ({"ENGINE": "tests.distant_log", "OPTIONS": {"colour": 1}}, "streams.E002", "colour is no option"),
        ({"ENGINE": "tests.distant_log", "OPTIONS": {"is_weak": True}}, "streams.W001", "kept in memory"),
    ],
)
def test_settings_that_cannot_or_should_not_be_used_are_told(settings, engine, code, words):
    settings.EVENTFLOW_ENGINES = {"main": engine}
    (found,) = check_engines()
    assert (found.id, found.level >= checks.ERROR) == (code, ".E" in code)
    assert words in found.msg


def test_before_a_deployment_the_engine_itself_is_asked(settings):
    settings.EVENTFLOW_ENGINES = {"main": {"ENGINE": "tests.distant_log", "OPTIONS": {"is_weak": True}}}
    (found,) = ask_engines()
    assert (found.id, found.msg) == ("streams.W002", "EVENTFLOW_ENGINES: main: it is beyond the network.")
    settings.EVENTFLOW_ENGINES["main"]["OPTIONS"] = {"colour": 1}
    assert ask_engines() == []


def test_an_alias_that_is_gone_is_told_with_its_streams(shop, settings):
    assert check_engines_of_streams(databases=["default"]) == []
    settings.EVENTFLOW_ENGINES = {}
    (found,) = check_engines_of_streams(databases=["default"])
    assert found.id == "streams.E003"
    assert "distant, in which there are events of orders" in found.msg
    with pytest.raises(SystemCheckError, match=r"streams\.E003"):
        call_command("check", databases=["default"])


def test_a_stream_whose_alias_is_gone_answers_that_it_is_unavailable(shop, settings, distant):
    get_engines()._configured = {}
    get_engines()._made = {}
    answer = shop.get("/streams/orders/events", last_offset=0)
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert shop.get("/streams/orders").json()["capabilities"] == ["append", "lease", "retention"]
    assert Partition.objects.count() == 1


def test_topics_are_told_how_many_bytes_to_keep_when_that_changes(distant):
    client = ApiClient(key=make_key(make_owner()))
    made = {"name": "orders", "engine": "distant", "partitions": 2, "retention": {"max_bytes": 1_000_000}}
    assert client.post("/streams", made).status_code == 201
    (topic,) = distant.topics
    for max_bytes, share in ((1_000_000, 500_000), (2_000_000, 1_000_000), (None, None)):
        client.patch("/streams/orders?confirm=orders", {"retention": {"max_bytes": max_bytes}})
        look_after_topics()
        assert distant.byte_limits == {topic: share}
    distant.weather.is_away = True
    assert tell_limits_by_bytes() == 0
