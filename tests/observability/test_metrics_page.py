"""GET /metrics: what Prometheus reads."""

import re

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from consumers.models import DeadLetter, GroupOffset
from observability.numbers import collectors
from observability.numbers.collectors import collect_computed
from observability.numbers.rollups import roll_up
from observability.telemetry.exposition import Family
from observability.telemetry.heartbeat import record_tick
from streams.log import engine_aliases, get_log
from streams.lookup import load_stream
from streams.models import Partition
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.appending import append

pytestmark = pytest.mark.usefixtures("db_with_commits")

# Every name ends in its unit, or counts things that its name names.
UNITS = re.compile(
    r"_(seconds|bytes|events|total|offset|streams|groups|polls|open|up|complete|durable|metrics)$|^eventflow_(streams|groups)$"
)


@pytest.fixture(autouse=True)
def database_is_trusted(monkeypatch):
    monkeypatch.setattr(collectors, "_failed_at", float("-inf"))


def scrape(**headers):
    response = Client().get("/metrics", headers=headers)
    assert response.status_code == 200, response.content
    return list(text_string_to_metric_families(response.content.decode()))


def samples(families):
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_the_page_is_well_formed_and_every_metric_has_type_help_and_unit():
    stream = make_stream("orders")
    make_group(stream, "billing")
    append(stream, "a")
    record_tick(now=timezone.now())
    families = [family for family in scrape() if family.name.startswith("eventflow_")]

    assert len(families) > 25
    assert len({family.name for family in families}) == len(families), "each family stands once"
    for family in families:
        assert family.type in ("gauge", "counter", "histogram"), family.name
        assert len(family.documentation) > 10, family.name
        full = f"{family.name}_total" if family.type == "counter" else family.name
        assert UNITS.search(full), full


def test_numbers_of_streams_and_groups_are_those_of_the_log():
    stream = make_stream("orders", partitions=2, retention_max_age_seconds=3600)
    group = make_group(stream, "billing")
    sizes = append(stream, "a", "a", "a", partition=0) + append(stream, "a", "b", partition=1)
    GroupOffset.objects.filter(group=group, partition__number=0).update(committed_offset=2)
    partition = Partition.objects.get(stream=stream, number=0)
    DeadLetter.objects.create(
        group=group, partition=partition, offset=1, reason="terminal", status="open", created_at=timezone.now()
    )

    found = samples(scrape())

    assert found["eventflow_stream_appended_events_total", "orders"] == 5
    assert found["eventflow_stream_appended_bytes_total", "orders"] == sizes
    assert found["eventflow_stream_head_offset", "orders"] == 5
    assert found["eventflow_stream_events", "orders"] == 5
    assert found["eventflow_rollup_behind_events",] == 5
    assert found["eventflow_group_committed_offset", "orders", "billing"] == 2
    assert found["eventflow_group_lag_events", "orders", "billing"] == 3
    assert 0 < found["eventflow_group_lag_seconds", "orders", "billing"] < 60
    assert found["eventflow_group_dead_letters_open", "orders", "billing"] == 1
    assert 3500 < found["eventflow_group_retention_risk_seconds", "orders", "billing"] <= 3600
    assert found["eventflow_database_up",] == 1

    roll_up(seconds=60)
    assert samples(scrape())["eventflow_rollup_behind_events",] == 0


def test_what_does_not_apply_is_absent():
    stream = make_stream("orders")
    make_group(stream, "billing")
    append(stream, "a")

    found = samples(scrape())

    assert ("eventflow_group_retention_risk_seconds", "orders", "billing") not in found
    assert ("eventflow_group_last_seen_timestamp_seconds", "orders", "billing") not in found


def test_what_happens_is_counted():
    owner = make_owner()
    make_stream("orders", owner=owner)
    shop = ApiClient(key=make_key(owner))
    before = samples(scrape())

    shop.post("/events", [{"stream": "orders", "payload": i} for i in range(7)])
    shop.get("/streams/orders/events", last_offset=0)
    shop.post("/events", {"stream": "orders"})
    shop.get("/streams/nothing/events")

    after = samples(scrape())

    def gained(*key):
        return after.get(key, 0) - before.get(key, 0)

    assert gained("eventflow_appended_events_total") == 7
    assert gained("eventflow_append_seconds_count") == 1
    assert gained("eventflow_read_events_total") == 7
    assert gained("eventflow_read_seconds_count") == 1
    assert gained("eventflow_rejections_total", "invalid_events") == 1
    assert gained("eventflow_rejections_total", "stream_not_found") == 1
    assert gained("eventflow_http_requests_total", "POST", "api/v1/events", "202") == 1
    assert gained("eventflow_http_requests_total", "POST", "api/v1/events", "422") == 1
    assert after["eventflow_waiting_polls",] == 0


def test_a_reader_that_is_told_of_a_gap_counts():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    append(stream, "a", "a", "a")
    append(stream, "a")
    get_log().trim(load_stream("orders").partitions[0], keep_events=1)
    before = samples(scrape())["eventflow_read_gap_events_total",]

    ApiClient(key=make_key(owner)).get("/streams/orders/events", last_offset=1)

    assert samples(scrape())["eventflow_read_gap_events_total",] == before + 2


def test_methods_that_a_caller_makes_up_add_no_labels():
    for i in range(5):
        Client().generic(f"M{i}", "/api/v1/streams")
    methods = {each.labels["method"] for f in scrape() if f.name == "eventflow_http_requests" for each in f.samples}
    assert methods <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}


def test_without_the_database_it_answers_with_what_is_known(monkeypatch):
    make_stream("orders")

    def fail(**_):
        raise DatabaseError("gone")

    monkeypatch.setattr(collectors, "load_holdings", fail)
    found = samples(scrape())

    assert found["eventflow_database_up",] == 0
    assert found["eventflow_scrape_complete",] == 0
    assert ("eventflow_appended_events_total",) in found
    # What this process counted itself is known; what the database would have told is absent, not zero.
    computed = {name for name, *_ in found if not name.endswith("_total")}
    assert not any(name.startswith(("eventflow_stream_", "eventflow_group_")) for name in computed)


def test_an_outage_is_remembered_so_that_scrapes_do_not_each_wait_for_it(monkeypatch):
    asked = []

    def fail(**_):
        asked.append(1)
        raise DatabaseError("gone")

    monkeypatch.setattr(collectors, "load_holdings", fail)
    for _ in range(3):
        scrape()
    assert len(asked) == 1

    monkeypatch.undo()
    monkeypatch.setattr(collectors, "RETRY_DATABASE_SECONDS", 0.0)
    assert samples(scrape())["eventflow_database_up",] == 1


def test_a_database_that_keeps_a_scrape_waiting_is_up_all_the_same(monkeypatch):
    make_stream("orders")
    monkeypatch.setattr(collectors, "SCRAPE_TIMEOUT_SECONDS", 1)
    assert samples(scrape())["eventflow_scrape_complete",] == 1

    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE streams_stream IN ACCESS EXCLUSIVE MODE")
        found = [samples(scrape()) for _ in range(2)]

    for each in found:
        assert each["eventflow_database_up",] == 1
        # But nobody takes what is missing for nothing.
        assert each["eventflow_scrape_complete",] == 0
        assert ("eventflow_streams",) not in each


def test_the_number_of_queries_does_not_grow():
    def queries(streams, groups):
        for _ in range(streams):
            stream = make_stream(partitions=2)
            append(stream, "a", partition=1)
            for _ in range(groups):
                make_group(stream)
        with CaptureQueriesContext(connection) as captured:
            collect_computed(now=timezone.now())
        return len(captured)

    few = queries(1, 1)
    assert queries(10, 5) == few
    # Of other engines it is asked how they are, and what was seen of them.
    assert few <= 20 + 4 * bool(engine_aliases())


def test_labels_are_bounded(monkeypatch):
    monkeypatch.setattr(collectors, "MAX_LABELLED_STREAMS", 2)
    monkeypatch.setattr(collectors, "MAX_LABELLED_GROUPS", 3)
    for name in ("small", "large", "empty"):
        stream = make_stream(name)
        append(stream, *["a"] * {"small": 1, "large": 90, "empty": 0}[name]) if name != "empty" else None
        for group in ("one", "two"):
            make_group(stream, group)

    found = samples(scrape())

    assert found["eventflow_streams",] == 3
    assert found["eventflow_streams_without_metrics",] == 1
    assert found["eventflow_groups",] == 6
    assert found["eventflow_groups_without_metrics",] == 3
    assert {key[1] for key in found if key[0] == "eventflow_stream_events"} == {"small", "large"}
    # Those that are furthest behind come first.
    assert {key[1] for key in found if key[0] == "eventflow_group_lag_events"} == {"large", "small"}


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.8.8.8", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.5", {}, 401),
        ("", {}, 401),
        ("unix:", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 401),
        ("10.0.0.5", {"Authorization": "Bearer "}, 401),
    ],
)
def test_without_a_token_only_this_machine_may_look(address, headers, status):
    response = Client().get("/metrics", headers=headers, REMOTE_ADDR=address)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer  s3cret", 200),
        ("Bearer wrong", 401),
        ("s3cret", 401),
        ("Bearer s3cretx", 401),
        ("", 401),
        ("Bearer ü", 401),
    ],
)
def test_with_a_token_whoever_has_it_may_look_from_anywhere(settings, header, status):
    settings.METRICS_TOKEN = "s3cret"
    response = Client().get("/metrics", HTTP_AUTHORIZATION=header, REMOTE_ADDR="203.0.113.9")
    assert response.status_code == status
    assert b"s3cret" not in response.content


def test_a_family_without_the_name_of_its_kind_is_a_mistake():
    with pytest.raises(ValueError):
        Family("eventflow_things", "counter", "…")
    with pytest.raises(ValueError):
        Family("eventflow_things_total", "gauge", "…")
