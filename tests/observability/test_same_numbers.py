"""A number has one definition: wherever it is shown it is the same, also where that is not easy."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from prometheus_client.parser import text_string_to_metric_families

from consumers.models import ConsumerGroup
from observability.management.commands.lag import show_seconds
from observability.numbers.rollups import record_groups
from observability.wording import duration, rate, size
from streams.models import Partition
from tests.client import ApiClient
from tests.factories import make_key
from tests.observability.awkward import (
    EVENTS_EVER,
    EVENTS_KEPT,
    GROUPS,
    OPEN_DEAD_LETTERS,
    make_awkward_installation,
)
from tests.observability.shown import items_shown, rows_shown, tiles_shown

pytestmark = pytest.mark.usefixtures("db_with_commits")
LEASING = [name for name, true in GROUPS.items() if true.in_flight or true.waiting]


@pytest.fixture
def owner(monkeypatch):
    """Whoever sees all; the application's clock stands still, so that ages and rates are the same to the last digit."""
    owner = make_awkward_installation()
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    return owner


@pytest.fixture
def api(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture
def browser(owner):
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


def page(browser, path):
    response = browser.get(path)
    assert response.status_code == 200, path
    return response.content


def stats_of_groups(api):
    return {
        (stream, each["id"]): each
        for stream in EVENTS_KEPT
        for each in api.get(f"/streams/{stream}/stats").json()["consumer_groups"]
    }


def metrics():
    families = text_string_to_metric_families(Client().get("/metrics").content.decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("eventflow_")
    }


def lag_command():
    """The table of `manage.py lag`, by stream and group."""
    out = StringIO()
    call_command("lag", stdout=out)
    lines = [re.split(r"\s*[│┃]\s*", line.strip("│┃ \n")) for line in out.getvalue().splitlines() if line[:1] in "│┃"]
    headings, *rows = lines
    return {(row[0], row[1]): dict(zip(headings, row, strict=True)) for row in rows}


def test_the_installation_is_as_awkward_as_it_says(api):
    found = stats_of_groups(api)

    assert set(found) == set(GROUPS)
    for name, true in GROUPS.items():
        assert found[name]["lag"] == sum(true.lag), name
        assert found[name]["in_flight"] == true.in_flight, name
        assert found[name]["waiting"] == true.waiting, name
        assert found[name]["dead_letters"] == true.dead_letters, name
        assert found[name]["missing"] == true.missing, name
        seconds = found[name]["lag_seconds"]
        assert (seconds is None) if true.lag_seconds is None else 0 <= seconds - true.lag_seconds < 30, name


def test_lag_is_the_same_everywhere(api, browser):
    lists = rows_shown(page(browser, "/consumer-groups"), "Group")
    overview = rows_shown(page(browser, "/"), "Group")
    listed = {(each["stream"], each["name"]): each["lag"] for each in api.get("/consumer-groups").json()["data"]}
    admin = rows_shown(page(browser, "/admin/consumers/consumergroup/"), "Name")
    table, samples = lag_command(), metrics()

    for (stream, group), true in GROUPS.items():
        lag = str(sum(true.lag))
        base = f"/streams/{stream}/consumer-groups"
        progress = api.get(f"{base}/{group}/offsets").json()["data"]
        own_page = page(browser, f"{base}/{group}")
        of_stream = rows_shown(page(browser, base), "Group")
        items = [item for item in items_shown(page(browser, f"/streams/{stream}")) if item.startswith(group)]

        assert [each["lag"] for each in progress] == list(true.lag)
        assert [row["Lag"].split()[0] for row in rows_shown(own_page, "Partition").values()] == list(map(str, true.lag))
        assert tiles_shown(own_page)["Lag"][0] == f"{lag} events"
        assert listed[stream, group] == sum(true.lag)
        assert samples["eventflow_group_lag_events", stream, group] == sum(true.lag)
        assert table[stream, group]["lag"] == lag
        assert {_row_of(rows, group)["Lag"].split()[0] for rows in (lists, overview, of_stream)} == {lag}
        assert re.search(rf"(never|UTC) {lag}\b", items[0]), items
        assert admin[group]["Lag"] == lag


@pytest.mark.parametrize("is_recorded", [False, True])
def test_the_lag_of_this_moment_is_the_same_over_time(api, is_recorded):
    if is_recorded:
        record_groups(now=timezone.now())

    for (stream, group), true in GROUPS.items():
        series = api.get(f"/streams/{stream}/consumer-groups/{group}/stats").json()["series"]
        assert [point["lag"] for point in series if point["lag"] is not None] == [sum(true.lag)], group


def _row_of(rows, group):
    [row] = [row for name, row in rows.items() if name.split()[0] == group]
    return row


def test_lag_in_seconds_is_the_same_everywhere(api, browser):
    lists = rows_shown(page(browser, "/consumer-groups"), "Group")
    table, samples, stats = lag_command(), metrics(), stats_of_groups(api)

    for (stream, group), true in GROUPS.items():
        seconds = stats[stream, group]["lag_seconds"]
        progress = api.get(f"/streams/{stream}/consumer-groups/{group}/offsets").json()["data"]
        ages = [each["lag_seconds"] for each in progress if each["lag_seconds"] is not None]

        assert max(ages, default=None) == seconds
        assert samples["eventflow_group_lag_seconds", stream, group] == (seconds or 0)
        assert table[stream, group]["oldest"] == show_seconds(seconds)
        shown = "" if seconds is None else f"{duration(seconds)} behind"
        assert lists_lag(lists, group) == shown
        note = tiles_shown(page(browser, f"/streams/{stream}/consumer-groups/{group}"))["Lag"][1]
        assert note == (shown or "everything is finished")
        assert (true.lag_seconds is None) == (seconds is None)


def lists_lag(rows, group):
    return _row_of(rows, group)["Lag"].partition(" ")[2]


def test_the_poll_tells_the_same_lag(api):
    for group in ("billing", "late"):
        header = api.get("/streams/orders/events", consumer_group_id=group)["EventFlow-Lag"]
        assert header == ",".join(f"{n}={lag}" for n, lag in enumerate(GROUPS["orders", group].lag))


def test_the_admin_tells_the_same_lag_of_each_partition(browser):
    for (_, name), true in GROUPS.items():
        group = ConsumerGroup.objects.get(name=name)
        shown = rows_shown(page(browser, f"/admin/consumers/consumergroup/{group.pk}/change/"), "Partition")
        assert [row["Lag"] for row in shown.values() if row.get("Lag")] == list(map(str, true.lag))


@pytest.mark.parametrize("hours", [-2, 0, 2], ids=["slow", "right", "fast"])
def test_in_flight_and_waiting_are_the_same_everywhere_whatever_the_application_s_clock_says(
    api, browser, monkeypatch, hours
):
    skewed = timezone.now() + timedelta(hours=hours)
    monkeypatch.setattr(timezone, "now", lambda: skewed)
    lists = rows_shown(page(browser, "/consumer-groups"), "Group")
    table, samples, stats = lag_command(), metrics(), stats_of_groups(api)

    for stream, group in LEASING:
        true = GROUPS[stream, group]
        base = f"/streams/{stream}/consumer-groups"
        tiles = tiles_shown(page(browser, f"{base}/{group}"))
        of_stream = rows_shown(page(browser, base), "Group")
        figures = (true.in_flight, true.waiting)

        assert (stats[stream, group]["in_flight"], stats[stream, group]["waiting"]) == figures
        assert (int(tiles["In flight"][0]), int(tiles["Waiting"][0])) == figures
        assert (stats[stream, group]["isolating"], stats[stream, group]["suspected"]) == (
            true.suspected > 0,
            true.suspected,
        )
        assert int(tiles.get("Under suspicion", ["0"])[0]) == true.suspected
        for rows in (lists, of_stream):
            assert (int(_row_of(rows, group)["In flight"]), int(_row_of(rows, group)["Waiting"])) == figures
        assert (int(table[stream, group]["in flight"]), int(table[stream, group]["waiting"])) == figures
        assert samples["eventflow_group_in_flight_events", stream, group] == true.in_flight
        assert samples["eventflow_group_waiting_events", stream, group] == true.waiting
        assert samples["eventflow_group_suspected_events", stream, group] == true.suspected


def test_the_list_of_deliveries_adds_up_to_the_same(api, browser):
    for stream, group in LEASING:
        true = GROUPS[stream, group]
        base = f"/streams/{stream}/consumer-groups/{group}"
        every = api.get(f"{base}/deliveries").json()["data"]
        for state, events in (("leased", true.in_flight), ("waiting", true.waiting), ("exhausted", true.exhausted)):
            listed = api.get(f"{base}/deliveries", state=state).json()["data"]
            assert {each["state"] for each in listed} <= {state}
            assert sum(each["last_offset"] - each["first_offset"] + 1 for each in listed) == events
            assert listed == [each for each in every if each["state"] == state]
        shown = rows_shown(page(browser, base), "Offsets").values()
        assert sorted(row["State"].split()[0] for row in shown) == sorted(each["state"] for each in every)


def test_the_timeline_of_an_event_knows_that_its_lease_has_expired(api):
    def state(partition, offset, group):
        told = api.get(f"/streams/orders/events/{partition}/{offset}/timeline").json()["groups"]
        return next(each["state"] for each in told if each["group"] == group)

    assert state(0, 7, "shipping") == "leased"
    assert state(0, 9, "shipping") == state(1, 3, "held") == "waiting"
    assert state(1, 3, "shipping") == "exhausted"


def test_what_is_exhausted_is_neither_in_flight_nor_waiting_but_on_its_way(browser):
    note = tiles_shown(page(browser, "/streams/orders/consumer-groups/shipping"))["Dead letters open"][1]
    assert note == "1 more on the way"


def test_open_dead_letters_are_the_same_everywhere(api, browser):
    lists = rows_shown(page(browser, "/consumer-groups"), "Group")
    table, samples, stats = lag_command(), metrics(), stats_of_groups(api)

    for (stream, group), true in GROUPS.items():
        count = true.dead_letters
        tiles = tiles_shown(page(browser, f"/streams/{stream}/consumer-groups/{group}"))
        letters = api.get("/dead-letters", stream=stream, group=group, status="open").json()["data"]

        assert len(letters) == count
        assert stats[stream, group]["dead_letters"] == count
        assert int(tiles["Dead letters open"][0]) == count
        assert int(_row_of(lists, group)["Dead letters"]) == count
        assert int(table[stream, group]["dead letters"]) == count
        assert samples["eventflow_group_dead_letters_open", stream, group] == count
        [item] = [each for each in items_shown(page(browser, f"/streams/{stream}")) if each.startswith(group)]
        assert (f"{count} dead letter" in item) == bool(count)
    assert tiles_shown(page(browser, "/"))["Dead letters open"][0] == str(OPEN_DEAD_LETTERS)
    assert str(OPEN_DEAD_LETTERS) in page(browser, "/pulse").decode()


def test_missing_is_the_same_everywhere(api):
    samples, stats = metrics(), stats_of_groups(api)

    for (stream, group), true in GROUPS.items():
        assert stats[stream, group]["missing"] == true.missing
        assert samples["eventflow_group_missing_events", stream, group] == true.missing


def test_what_was_lost_is_the_same_everywhere(api, browser):
    samples, stats, table = metrics(), stats_of_groups(api), lag_command()
    listed = {(each["stream"], each["name"]): each for each in api.get("/consumer-groups").json()["data"]}
    admin = rows_shown(page(browser, "/admin/consumers/consumergroup/"), "Name")
    lists = rows_shown(page(browser, "/consumer-groups"), "Group")
    overview = rows_shown(page(browser, "/"), "Group")
    told = {group: f"{sum(true.lost)} lost" for (_, group), true in GROUPS.items() if sum(true.lost)}

    for (stream, group), true in GROUPS.items():
        lost = sum(true.lost)
        base = f"/streams/{stream}/consumer-groups"
        own_page = page(browser, f"{base}/{group}").decode()
        of_stream = rows_shown(page(browser, base), "Group")
        items = [item for item in items_shown(page(browser, f"/streams/{stream}")) if item.startswith(group)]
        own = api.get(f"{base}/{group}").json()

        assert [each["lost"] for each in api.get(f"{base}/{group}/offsets").json()["data"]] == list(true.lost)
        for each in (stats[stream, group], listed[stream, group], own):
            assert (each["lost"], each["lost_total"]) == (lost, lost), group
        assert samples["eventflow_group_unacknowledged_lost_events", stream, group] == lost
        assert samples["eventflow_group_lost_events_total", stream, group] == lost
        assert (table[stream, group]["lost"], admin[group]["Lost"]) == (str(lost), str(lost))
        assert (f"Retention took {lost} events" in own_page) == bool(lost)
        for rows in (lists, overview, of_stream):
            assert (" lost" in _row_of(rows, group)["Group"]) == bool(lost)
            assert told.get(group, "") in _row_of(rows, group)["Group"]
        assert (" lost" in items[0]) == bool(lost)
        assert told.get(group, "") in items[0]
    assert "billing on orders lost 4, held on orders lost 6" in " ".join(
        strip_tags(page(browser, "/").decode()).split()
    )


def test_kept_events_and_their_stored_bytes_are_the_same_everywhere(api, browser):
    lists = rows_shown(page(browser, "/streams"), "Stream")
    admin = rows_shown(page(browser, "/admin/streams/stream/"), "Name")
    producers = {each["name"]: each for each in api.get("/producers").json()["data"][0]["streams"]}
    samples = metrics()

    for stream, kept in EVENTS_KEPT.items():
        stats = api.get(f"/streams/{stream}/stats").json()
        own_page = page(browser, f"/streams/{stream}")
        stored = sum(Partition.objects.filter(stream__name=stream).values_list("stored_bytes", flat=True))
        tiles = tiles_shown(own_page)

        assert stats["event_count"] == kept
        assert tiles["Events kept"] == (str(kept), f"of {EVENTS_EVER[stream]} ever appended")
        assert sum(int(row["Kept"]) for row in rows_shown(own_page, "No.").values()) == kept
        assert lists[stream]["Events kept"] == str(kept)
        assert producers[stream]["event_count"] == kept
        assert samples["eventflow_stream_events", stream] == kept
        assert admin[stream]["Events kept"] == str(kept)
        assert stats["stored_bytes"] == samples["eventflow_stream_stored_bytes", stream] == stored
        assert tiles["Size on disk"][0] == size(stored)


def test_the_rate_is_the_same_everywhere(api, browser):
    def per_second() -> float:
        return float(api.get("/streams/orders/stats").json()["rate_per_second"])

    # It falls as time passes, and rises again with a minute that begins: what is shown lies between two looks.
    before = per_second()
    lists = rows_shown(page(browser, "/streams"), "Stream")
    overview = page(browser, "/")
    tile = tiles_shown(page(browser, "/streams/orders"))["Events per second"][0]
    after = per_second()

    assert before > 0
    assert api.get("/streams/quiet/stats").json()["rate_per_second"] == 0
    assert lists["quiet"]["Events/s"] == "0"
    assert tiles_shown(page(browser, "/streams/quiet"))["Events per second"][0] == "0"
    low, high = sorted((float(rate(before)), float(rate(after))))
    shown = [
        lists["orders"]["Events/s"],
        tile,
        tiles_shown(overview)["Events per second"][0],
    ]
    assert rows_shown(overview, "Stream")["orders"]["Events"] == str(EVENTS_EVER["orders"]), "of the last hour"
    assert all(low - 0.01 <= float(text) <= high + 0.01 for text in shown), (low, shown, high)


def test_bytes_are_of_the_json_wherever_they_stand_beside_events(api):
    stats = api.get("/streams/orders/stats").json()
    appended = sum(Partition.objects.filter(stream__name="orders").values_list("appended_bytes", flat=True))

    assert sum(point["events"] for point in stats["series"]) == EVENTS_EVER["orders"]
    assert sum(point["bytes"] for point in stats["series"]) == appended
    assert metrics()["eventflow_stream_appended_bytes_total", "orders"] == appended
    assert 0 < sum(each["bytes"] for each in stats["types"]) < appended, "the types do not know the tail yet"
    assert stats["stored_bytes"] < appended
