"""What is told of mirrors beside the API: to Prometheus, and on the page of their stream."""

import pytest
from django.utils import timezone

from accounts.roles import Role
from streams.models import Mirror
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_user


@pytest.fixture
def owner(distant):
    return make_owner()


@pytest.fixture
def shop(owner):
    client = ApiClient(key=make_key(owner))
    client.post("/streams", {"name": "orders"})
    client.post("/streams/orders/events", [{"payload": n} for n in range(7)])
    assert client.post("/streams/orders/mirrors", {"engine": "distant"}).status_code == 201
    return client


def told(client, name):
    found = client.get("/metrics").content.decode()
    return next((line for line in found.splitlines() if line.startswith(f"{name}{{")), None)


def test_prometheus_is_told_how_far_each_is_and_what_went_wrong(shop, client):
    labels = '{stream="orders",topic="distant.orders"}'
    assert told(client, "eventflow_mirror_lag_events") == f"eventflow_mirror_lag_events{labels} 7"
    assert told(client, "eventflow_mirror_failing") == f"eventflow_mirror_failing{labels} 0"
    Mirror.objects.update(failing_since=timezone.now(), failure_count=3)
    assert told(client, "eventflow_mirror_failing") == f"eventflow_mirror_failing{labels} 1"
    assert told(client, "eventflow_mirror_failures_total") == f"eventflow_mirror_failures_total{labels} 3"


def test_where_no_engine_is_named_nobody_asks_for_mirrors(shop, settings, client, django_assert_num_queries):
    from observability.numbers.mirrors import list_mirror_standings
    from streams.log import close_log

    close_log()
    settings.EVENTFLOW_ENGINES = {}
    with django_assert_num_queries(0):
        assert list_mirror_standings({}, now=timezone.now()) == []


def test_the_page_of_a_stream_tells_who_manages_it_where_it_is_copied_to(shop, owner, client):
    Mirror.objects.update(failing_since=timezone.now(), last_error="<b>no</b> topic", last_error_at=timezone.now())
    client.force_login(owner)
    page = client.get("/streams/orders").content.decode()
    assert "distant.orders" in page
    assert "7 behind" in page
    assert "&lt;b&gt;no&lt;/b&gt; topic" in page
    client.force_login(make_user(Role.CONSUMER))
    assert "distant.orders" not in client.get("/streams/orders").content.decode()


def test_an_engine_that_the_settings_name_no_more_is_told_of_before_anything_starts(shop, settings):
    from streams.checks import check_engines_of_streams

    assert check_engines_of_streams(databases=["default"]) == []
    settings.EVENTFLOW_ENGINES = {}
    [found] = check_engines_of_streams(databases=["default"])
    assert (found.id, found.level) == ("streams.W002", 30)
    assert "does not name distant, into which orders are mirrored" in found.msg
