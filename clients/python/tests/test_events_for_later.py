"""Events for later and events that expire: sent in each way that events are, and read as they were given."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from eventflow_client import EventFlow, NewEvent, NotJson, problems
from eventflow_client.encoding import encode_event

pytestmark = pytest.mark.processes
HOUR = timedelta(hours=1)


def read(client: EventFlow, stream: str):
    return list(client.streams.read(stream))


def test_seconds_spans_and_times_are_taken(client, orders):
    at = datetime.now(timezone(timedelta(hours=2))).replace(microsecond=0) + HOUR
    client.send(orders, "plain")
    client.send(orders, "seconds", deliver_after=2.5, expires_after=60)
    client.send(orders, "spans", deliver_after=HOUR, expires_after=timedelta(days=1))
    client.send(orders, "a time", deliver_after=at)

    plain, seconds, spans, time = read(client, orders)

    assert (plain.deliver_after, plain.expires_after, plain.expires_at) == (None, None, None)
    assert plain.due_at == plain.recorded_at
    assert (seconds.deliver_after, seconds.expires_after) == (2.5, 60)
    assert seconds.due_at - seconds.recorded_at == timedelta(seconds=2.5)
    assert spans.due_at - spans.recorded_at == HOUR
    assert spans.expires_at - spans.recorded_at == timedelta(days=1)
    assert time.deliver_after == time.due_at == at


def test_a_time_that_has_passed_means_at_once(client, orders):
    client.send(orders, 1, deliver_after=datetime.now(UTC) - HOUR)

    (event,) = read(client, orders)

    assert event.due_at == event.recorded_at


def test_batches_and_producers_have_them_too(client, orders):
    client.send_many([NewEvent(orders, 1, deliver_after=10, expires_after=HOUR)])
    with client.producer() as producer:
        producer.enqueue(orders, 2, deliver_after=10, expires_after=HOUR)

    assert [(each.deliver_after, each.expires_after) for each in read(client, orders)] == [(10, 3600)] * 2


def test_what_is_for_later_is_not_leased_and_is_seen_as_scheduled(client, orders):
    client.groups.create(orders, "reminders", mode="lease")
    client.send(orders, "later", deliver_after=HOUR, expires_after=2 * HOUR)
    client.send(orders, "now")
    group = f"/streams/{orders}/consumer-groups/reminders"

    (leased,) = client.request("POST", f"{group}/lease", {})["deliveries"]

    assert [event["payload"] for event in leased["events"]] == ["now"]
    (later,) = client.groups.deliveries(orders, "reminders", state="scheduled")
    (event, _) = read(client, orders)
    assert (later.available_at, later.event_expires_at) == (event.due_at, event.expires_at)


@pytest.mark.parametrize("given", [{"deliver_after": datetime(2030, 1, 1)}, {"expires_after": float("nan")}])
def test_what_is_no_time_is_refused_before_it_is_sent(given):
    with pytest.raises(NotJson):
        encode_event(1, **given)


def test_one_that_would_expire_first_is_refused(client, orders):
    with pytest.raises(problems.Problem) as refused:
        client.send(orders, 1, deliver_after=60, expires_after=30)

    assert [each.code for each in refused.value.errors] == ["expires_first"]


# --- from a terminal ---


def test_they_are_typed_as_people_say_them(shell, client, orders):
    shell.ok("produce", orders, "1", "--deliver-after", "2h", "--expires-after", "7d")
    soon = (datetime.now(UTC) + HOUR).replace(microsecond=0)
    shell.ok("produce", orders, "2", "--deliver-after", soon.isoformat(), "--expires-after", "7200.5")
    shell.ok("produce", orders, "--deliver-after", "30m", stdin="3\n4\n")

    first, second, *others = read(client, orders)

    assert (first.deliver_after, first.expires_after) == (7200, 604_800)
    assert (second.deliver_after, second.expires_after) == (soon, 7200.5)
    assert [each.deliver_after for each in others] == [1800, 1800]


def test_events_that_were_copied_keep_theirs(shell, client, orders):
    client.send(orders, 1, deliver_after=60, expires_after=120)
    copied = shell.ok("tail", orders, "--no-follow", "--json").out

    shell.ok("produce", orders, "--events", stdin=copied)

    assert [(each.deliver_after, each.expires_after) for each in read(client, orders)] == [(60, 120)] * 2


@pytest.mark.parametrize(
    "words", [["--deliver-after", "soon"], ["--deliver-after", "2030-01-01T00:00"], ["--expires-after", "2w"]]
)
def test_what_is_no_time_is_typed_wrongly(shell, network, orders, words):
    assert shell.run("produce", orders, "1", *words).code == 2
    assert network.seen("POST") == []
