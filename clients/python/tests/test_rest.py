"""The rest of the API: streams, groups, dead letters, numbers, keys."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from eventflow_client import AsyncEventFlow, EventFlow, EventFlowError, NewEvent, Problem, Retries, problems
from eventflow_client.models import Retention
from lossy import LOSE_ANSWER
from running import wait_for

from accounts.models import User
from streams.models import Stream
from tests.factories import make_group, make_key, make_owner, make_token
from tests.web_server import WebServer

pytestmark = pytest.mark.processes


@pytest.fixture
def mine(owner) -> User:
    return owner


def test_a_stream_is_made_changed_looked_at_and_deleted(client, network):
    name = f"made-{datetime.now(UTC).timestamp()}"
    made = client.streams.create(name, partitions=2, retention=Retention(max_events=1000), labels={"team": "shop"})
    assert (made.name, made.partitions, made.retention.max_events, made.labels) == (name, 2, 1000, {"team": "shop"})
    assert client.streams.create("x" + name).visibility == "internal"
    with pytest.raises(problems.StreamExists):
        client.streams.create(name)
    changed = client.streams.change(name, paused=True, description="of orders")
    assert (changed.paused, changed.description) == (True, "of orders")
    assert client.streams.get(name) == changed
    assert [each.name for each in client.streams.list(name=name, paused=True)] == [name]
    network.happen(LOSE_ANSWER, to=f"DELETE .*/{name}")
    client.streams.delete(name, confirm=name)
    with pytest.raises(problems.StreamNotFound):
        client.streams.get(name)


def test_lists_go_on_from_page_to_page(client, network, orders):
    stream = Stream.objects.get(name=orders)
    names = {make_group(stream).name for _ in range(260)}
    assert sorted(each.name for each in client.groups.list(orders)) == sorted(names)
    assert len(network.seen(f"GET .*/{orders}/consumer-groups")) == 2


def test_a_group_is_made_moved_looked_at_and_deleted(client, orders):
    client.send_many([NewEvent(orders, n) for n in range(10)])
    made = client.groups.create(orders, "readers", mode="offset", start="latest")
    assert (made.mode, made.lag) == ("offset", 0)
    assert client.groups.create(orders, "readers", mode="offset", start="latest").created_at == made.created_at
    with pytest.raises(problems.ConsumerGroupExists):
        client.groups.create(orders, "readers", mode="lease")
    assert client.groups.seek(orders, "readers", "earliest", dry_run=True).events_affected == 10
    assert client.groups.get(orders, "readers").lag == 0
    client.groups.seek(orders, "readers", 4)
    assert client.groups.get(orders, "readers").lag == 6
    client.groups.seek(orders, "readers", datetime.now(UTC) - timedelta(hours=1), partition=0)
    (committed,) = client.groups.commit(orders, "readers", {0: 7})
    assert (committed.committed_offset, committed.status) == (7, "committed")
    (place,) = client.groups.offsets(orders, "readers")
    assert (place.committed_offset, place.head_offset, place.lag) == (7, 10, 3)
    assert "readers" in {each.name for each in client.groups.all() if each.stream == orders}
    assert client.groups.change(orders, "readers", paused=True).paused
    with pytest.raises(problems.OffsetBeyondHead):
        client.groups.commit(orders, "readers", {0: 11})
    client.groups.delete(orders, "readers", confirm="readers")
    with pytest.raises(problems.ConsumerGroupNotFound):
        client.groups.get(orders, "readers")


def test_dead_letters_are_found_redriven_and_discarded(client, orders):
    client.groups.create(orders, "readers")
    client.send_many([NewEvent(orders, {"n": n}, type="t") for n in range(5)])
    parked = [client.groups.park(orders, "readers", offset=offset, error=f"bad {offset}") for offset in range(1, 6)]
    assert [each.offset for each in client.dead_letters.list(stream=orders, status="open")] == [5, 4, 3, 2, 1]
    assert [each.offset for each in client.dead_letters.list(stream=orders, text="BAD 3")] == [3]
    one = client.dead_letters.get(parked[0].id)
    assert one.event is not None
    assert (one.event.payload, one.last_error) == ({"n": 0}, "bad 1")
    assert client.dead_letters.resolve(parked[1].id, note="by hand").status == "resolved"
    with pytest.raises(problems.NotOpen):
        client.dead_letters.discard(parked[1].id)
    assert client.dead_letters.discard(parked[2].id).status == "discarded"
    assert client.dead_letters.count("discard", stream=orders).count == 3
    done = client.dead_letters.discard_all(stream=orders, note="test data")
    wait_for("all of it", lambda: client.dead_letters.bulk_action(done.id).done_count == 3)
    with pytest.raises(problems.BulkActionFinished):
        client.dead_letters.cancel(done.id)


def test_a_redrive_may_change_the_payload(client, orders):
    client.groups.create(orders, "workers", mode="lease", backoff=[0], max_failures=1)
    client.send(orders, {"n": 1})

    def fail(_event) -> None:
        consumer.stop()
        raise LookupError("no such customer")

    consumer = client.consumer(orders, "workers", fail)
    consumer.run()
    # No worker runs here; a lease moves what is exhausted.
    client.request("POST", f"/streams/{orders}/consumer-groups/workers/lease", {})
    (dead,) = client.dead_letters.list(stream=orders)
    assert client.dead_letters.redrive(dead.id, payload=None, note="none").status == "redriven"
    seen = []

    def take(event) -> None:
        seen.append(event)
        consumer.stop()

    consumer = client.consumer(orders, "workers", take)
    consumer.run()
    assert [event.payload for event in seen] == [None]
    assert seen[0].edited["by"]


def test_a_stream_in_numbers(client, orders):
    client.send_many([NewEvent(orders, n, type="paid") for n in range(10)])
    client.groups.create(orders, "readers")
    stats = client.streams.stats(orders, window="1h")
    assert (stats.event_count, stats.head_offset) == (10, 10)
    assert [(each.id, each.lag) for each in stats.consumer_groups] == [("readers", 10)]


def test_a_stream_is_read_from_its_beginning_to_its_end(client, owner):
    name = f"read-{datetime.now(UTC).timestamp()}"
    client.streams.create(name, partitions=3)
    for start in range(0, 2500, 500):
        client.send_many(
            [NewEvent(name, n, key=f"k{n % 7}", type="odd" if n % 2 else "even") for n in range(start, start + 500)]
        )
    assert sorted(event.payload for event in client.streams.read(name)) == list(range(2500))
    odd = [event.payload for event in client.streams.read(name, types=["odd"])]
    assert sorted(odd) == list(range(1, 2500, 2))
    assert list(client.streams.read(name, last_offset="latest")) == []
    one = next(client.streams.read(name, partition=1, last_offset=0))
    assert client.streams.event(name, 1, one.offset) == one
    with pytest.raises(problems.EventNotFound):
        client.streams.event(name, 1, 10**9)


@pytest.mark.parametrize("seconds", [1 / 3, 0.0004, 1e-7, 1])
def test_any_time_may_be_waited(client, orders, seconds):
    assert list(client.streams.read(orders, last_offset="latest", wait_seconds=seconds)) == []


def test_what_a_change_would_delete_is_foreseen(client, orders):
    client.send_many([NewEvent(orders, n) for n in range(10)])
    client.send_many([NewEvent(orders, n) for n in range(10)])
    forecast = client.streams.foresee(orders, retention=Retention(max_events=10))
    assert forecast.events_affected == 10
    with pytest.raises(problems.ConfirmationMissing):
        client.streams.change(orders, retention=Retention(max_events=10))
    assert client.streams.change(orders, retention=Retention(max_events=10), confirm=orders).retention.max_events == 10


def test_keys_are_made_by_people_used_rotated_and_revoked(web, mine, orders):
    with EventFlow(web.url, token=make_token(mine)) as person:
        made = person.keys.create("shop", scopes=["produce"], streams=[orders])
        assert made.secret
        assert [each.name for each in person.keys.list()] == ["shop"]
        with EventFlow(web.url, key=made.secret) as program:
            me = program.me()
            assert me.api_key is not None
            assert (me.user.email, me.api_key.scopes, me.api_key.streams) == (mine.email, ["produce"], [orders])
            with pytest.raises(problems.ScopeMissing):
                list(program.streams.read(orders))
        assert person.keys.rotate(made.id, overlap_seconds=0).secret != made.secret
        person.keys.revoke(made.id)
        assert [each.email for each in person.keys.producers()] == [mine.email]


def test_too_much_is_said_with_its_bucket_and_waited_out(db_with_commits_for_all):
    key = make_key(make_owner())
    limits = {"EVENTFLOW_LIMIT_KEY_REQUESTS": "2", "EVENTFLOW_LIMIT_BURST_SECONDS": "1"}
    with WebServer(**limits) as web:
        with (
            EventFlow(web.url, key=key, retries=Retries(total_seconds=0)) as hasty,
            pytest.raises(problems.RateLimited) as refused,
        ):
            for _ in range(20):
                hasty.me()
        assert refused.value.members["bucket"] == "requests"
        assert refused.value.retry_after
        with EventFlow(web.url, key=key) as patient:
            assert len([patient.me() for _ in range(5)]) == 5


def test_every_error_is_one_of_the_packages_and_says_where_to_look(client, orders):
    with pytest.raises(EventFlowError) as failed:
        client.streams.create("UPPER")
    error = failed.value
    assert isinstance(error, Problem)
    assert error.request_id in str(error)
    assert error.errors == () or error.errors[0].pointer


def test_the_asynchronous_half_iterates_and_asks_alike(network, key, orders):
    async def work() -> None:
        async with AsyncEventFlow(network.url, key=key) as client:
            await client.groups.create(orders, "readers")
            await client.send_many([NewEvent(orders, n) for n in range(3)])
            assert [each.name async for each in client.groups.list(orders)] == ["readers"]
            assert [event.payload async for event in client.streams.read(orders)] == [0, 1, 2]
            assert (await client.streams.stats(orders)).event_count == 3
            with pytest.raises(problems.StreamNotFound):
                await client.streams.get("nothing")

    asyncio.run(work())
