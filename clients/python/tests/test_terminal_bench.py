"""`eventflow bench`: measures on a stream of its own, says what was the limit, and clears away what it made."""

import json

import pytest
from between import Between
from eventflow_client.terminal.bench.measured import percentile, sum_up

from accounts.models import User
from tests.factories import make_key

pytestmark = pytest.mark.processes
SHORT = ["--seconds", "1", "--connections", "2", "--batch", "100"]


@pytest.fixture
def direct(shell, web):
    """Nothing in between: a live stream does not come through the lossy network."""
    shell.environment["EVENTFLOW_API"] = web.url
    return shell


def names(client, owner: User) -> list[str]:
    return [stream.name for stream in client.streams.list(owner=owner.email)]


def test_each_kind_of_work_is_measured_and_the_stream_is_gone(direct, client, owner):
    said = direct.ok("bench", *SHORT, "--yes", "--json")

    found = {each["work"]: each for each in said.all_json()}
    assert list(found) == [
        *("append one by one", "append 100 at a time", "poll and commit", "lease and ack", "append to live stream")
    ]
    for each in found.values():
        assert each["events"] > 0 and each["seconds"] > 0
        assert 0 < each["p50_ms"] <= each["max_ms"]
        assert each["refused"] == {}
    single, batched = found["append one by one"], found["append 100 at a time"]
    assert (single["events"], batched["events"]) == (single["requests"], 100 * batched["requests"])
    # Each event is read with a poll and a commit, leased and acked: never more than there are.
    stored = single["events"] + batched["events"]
    assert 0 < found["poll and commit"]["events"] <= stored
    assert 0 < found["lease and ack"]["events"] <= stored
    assert names(client, owner) == []


def test_people_see_a_table_and_under_which_conditions_it_came(direct, client, owner):
    said = direct.ok("bench", *SHORT, "--keep", "--size", "50")

    assert said.lines[0].split() == [*("WORK", "EVENTS/S", "REQUESTS/S"), *("P50", "MS", "P99", "MS", "MAX", "MS")]
    assert "2 connections, payloads of 50 bytes, 1 s each" in said.err
    (kept,) = names(client, owner)
    assert f"eventflow streams delete {kept} --confirm {kept}" in said.err
    events = list(client.streams.read(kept, partition=0))
    assert {len(bytes(event.raw_payload)) for event in events if event.type == "bench"} == {50}
    assert client.streams.get(kept).retention.max_age == 86_400
    direct.ok("streams", "delete", kept, "--confirm", kept)


def test_where_nobody_can_be_asked_the_stream_stays_and_is_named(direct, client, owner):
    said = direct.ok("bench", *SHORT)

    (kept,) = names(client, owner)
    assert f"The stream {kept} stays" in said.err
    direct.ok("streams", "delete", kept, "--confirm", kept)


def test_who_may_not_make_a_stream_is_told_so_and_leaves_nothing(direct, client, owner):
    said = direct.run("bench", *SHORT, "--yes", "--json", EVENTFLOW_KEY=make_key(owner, "produce"))

    assert (said.code, json.loads(said.err)["error"]) == (3, "scope_missing")
    assert names(client, owner) == []


def test_what_was_not_done_is_no_speed_and_is_told(shell, web, client, owner):
    with Between(web.port, holds_back=True) as between:
        said = shell.run("bench", *SHORT, "--yes", EVENTFLOW_API=between.url)

    assert said.code == 1
    assert "append to live stream: not done were 1 × not_seen." in said.err
    assert said.lines[-1].split()[4:] == ["-", "-", "-", "-", "-"]
    assert names(client, owner) == []


@pytest.mark.parametrize("words", [["--connections", "0"], ["--batch", "1001"], ["--size", "-1"], ["--seconds", "0"]])
def test_what_cannot_be_measured_is_refused_before_anything_is_made(shell, network, words):
    assert shell.run("bench", *words).code == 2
    assert network.requests == []


# --- what may be said of numbers ---


def measured(**given):
    facts = {"events": 10, "took": [0.001] * 10, "seconds": 2.0, "refused": {}, "client_seconds": 1.0}
    return sum_up("work", **(facts | given))


def test_a_percentile_is_a_sample_that_there_was():
    assert percentile([1, 2, 3, 4], 50) == 2
    assert percentile(list(range(1, 101)), 99) == 99
    assert percentile([5], 99) == 5
    assert percentile([], 50) is None


def test_one_in_a_hundred_is_not_told_of_a_few():
    assert measured(took=[0.001] * 199).p99_ms is None
    assert measured(took=[*([0.001] * 198), 0.5, 0.6]).p99_ms == 1
    assert measured(took=[]).p50_ms is None


def test_a_client_that_is_busy_all_the_time_is_the_limit():
    assert not measured(client_seconds=1.6).is_held_up_by_client
    assert measured(client_seconds=1.8).is_held_up_by_client


def test_rates_are_over_the_time_that_passed():
    found = measured(events=1000, took=[0.1] * 4, seconds=2.0)
    assert (found.events_per_second, found.requests_per_second) == (500, 2)
    assert measured(seconds=0.0).events_per_second is None
    assert measured(is_paced=True).events_per_second is None
