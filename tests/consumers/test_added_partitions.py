"""What groups and readers meet when partitions are added: nothing is skipped, and all that is under way goes on."""

from functools import partial

import pytest
from django.utils import timezone

from consumers.models import GroupOffset
from consumers.offset_headers import write_offset_headers
from consumers.progress_queries import list_progress
from consumers.services.groups import GroupSettings, create_group
from consumers.services.leasing import lease_deliveries, list_held_in_browsers
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from streams import lookup
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from streams.models import Stream
from streams.services.lifecycle import change_stream
from tests.client import ApiClient
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    info,
    lease,
    lease_one,
    make_lease_group,
    nack,
    offsets,
    produce,
    states,
)
from tests.consumers.waiting import waiting
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUP = "/streams/orders/consumer-groups/billing"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner, partitions=2)


@pytest.fixture
def api(owner, stream):
    return ApiClient(key=make_key(owner))


def add(stream: Stream, count: int) -> None:
    change_stream(stream=stream, changes={"partition_count": count}, now=timezone.now(), confirm=stream.name)


def put(partition: int, *payloads: str) -> None:
    """Append events to a partition, as whoever knows all of them would."""
    records = [b'{"type":"t","key":null,"payload":"%b"}' % payload.encode() for payload in payloads]
    get_log().append([PartitionAppend(load_stream("orders").partition(partition), records)])


def remember(known) -> None:
    """Make this worker one that looked the stream up a moment ago."""
    lookup.forget_streams()
    lookup._memory.get("orders", lambda: known)
    assert lookup.find_stream("orders") is known


def poll(api, **parameters):
    response = api.get("/streams/orders/events", **parameters)
    assert response.status_code == 200, response.content
    return response


def payloads(response):
    return [event["payload"] for event in response.json()]


# --- groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["offset", "lease"])
@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_group_begins_a_new_partition_at_its_first_event_and_stays_where_it_is(stream, mode, start):
    put(0, "a", "b")
    put(1, "c")
    group = make_group(stream, "billing", mode=mode, start=start)
    before = [committed(group, number) for number in (0, 1)]
    add(stream, 4)
    assert [committed(group, number) for number in range(4)] == [*before, 0, 0]
    put(3, "d")
    assert [each.lag for each in list_progress(group, now=timezone.now())][2:] == [0, 1]


def test_a_group_made_after_it_starts_as_it_says_in_all_of_them(stream):
    known = load_stream("orders")
    add(stream, 3)
    put(2, "a", "b")
    # Also by a worker that knows two partitions only.
    group, _ = create_group(stream=known, name="late", settings=GroupSettings(start="latest"), owner=stream.owned_by)
    assert [committed(group, number) for number in range(3)] == [0, 0, 2]


# --- offset mode -----------------------------------------------------------------------------------------


def test_a_reader_learns_of_them_by_its_next_poll(api, stream):
    make_group(stream, "billing")
    put(0, "a")
    assert poll(api, consumer_group_id="billing").headers["EventFlow-Lag"] == "0=1,1=0"
    add(stream, 3)
    put(2, "b", "c")
    answer = poll(api, consumer_group_id="billing")
    assert sorted(payloads(answer)) == ["a", "b", "c"]
    assert answer.headers["EventFlow-Lag"] == "0=1,1=0,2=2"
    done = api.post(f"{GROUP}/offsets", {"offsets": [{"partition": 2, "offset": 2}]})
    assert done.json()["data"] == [{"partition": 2, "committed_offset": 2, "status": "committed"}]
    told = api.get(f"{GROUP}/offsets").json()["data"]
    assert [(each["partition"], each["committed_offset"], each["lag"]) for each in told] == [
        (0, 0, 1),
        (1, 0, 0),
        (2, 2, 0),
    ]
    stats = api.get("/streams/orders/stats").json()
    assert (stats["event_count"], stats["consumer_groups"][0]["lag"]) == (3, 1)


def test_offsets_of_before_go_on_and_the_new_partitions_begin(api, stream):
    put(0, "a")
    put(1, "b")
    answer = poll(api)
    known = answer.headers["EventFlow-Next-Offset"]
    assert known == "0=1,1=1"
    add(stream, 4)
    put(1, "c")
    put(3, "d")
    answer = poll(api, last_offset=known)
    assert sorted(payloads(answer)) == ["c", "d"]
    assert answer.headers["EventFlow-Next-Offset"] == "0=1,1=2,2=0,3=1"


def test_many_offsets_of_before_go_on_as_well(api, stream):
    add(stream, 40)
    answer = poll(api)
    known = answer.headers["EventFlow-Next-Offset"]
    assert known.startswith("packed.")
    add(stream, 41)
    put(40, "new")
    assert payloads(poll(api, last_offset=known)) == ["new"]


@pytest.mark.parametrize("text", ["0=0", "1=0,2=0", "0=0,2=0", "0=0,1=0,2=0,3=0"])
def test_offsets_that_leave_out_others_than_the_last_are_refused(api, stream, text):
    add(stream, 3)
    refused = api.get("/streams/orders/events", last_offset=text)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")


def test_of_a_stream_that_had_one_partition_a_plain_number_is_refused_and_says_how(owner):
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing")
    api = ApiClient(key=make_key(owner))
    put(0, "a")
    assert payloads(poll(api, last_offset=0)) == ["a"]
    add(stream, 2)
    for refused in (
        api.get("/streams/orders/events", last_offset=1),
        api.post(f"{GROUP}/offsets", {"offset": 1}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "partition_required")
    assert payloads(poll(api, last_offset=0, partition=0)) == ["a"]
    put(1, "b")
    assert payloads(poll(api, last_offset="0=1")) == ["b"]


@pytest.mark.parametrize("group", [{}, {"consumer_group_id": "billing"}])
def test_a_poll_that_waits_is_answered_and_the_next_one_waits_for_all(api, stream, group):
    make_group(stream, "billing")
    [poller] = waiting(lambda: poll(api, wait=25, **group), partitions=2)
    add(stream, 3)
    assert poller.result(5).content == b"[]"
    [poller] = waiting(lambda: payloads(poll(api, wait=25, **group)), partitions=3)
    put(2, "a")
    assert poller.result(5) == ["a"]


# --- lease mode ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_what_is_handed_out_goes_on_and_the_new_partitions_are_handed_out_too(ordering):
    group = make_lease_group(partitions=2, ordering=ordering, backoff_seconds=(3600,))
    for partition in (0, 1):
        produce(group, 4, partition=partition)
    held = [lease_one(group, 2), lease_one(group, 2)]
    nack(group, held[1])
    before = states(group)
    add(group.stream, 3)
    assert states(group) == before
    produce(group, 2, partition=2)
    came = []
    while deliveries := lease(group, 10).deliveries:
        came += [(each.partition, offset) for each in deliveries for offset in offsets([each])]
        assert set(ack(group, *deliveries)) == {"acked"}
    assert [place for place in came if place[0] == 2] == [(2, 1), (2, 2)]
    assert ack(group, held[0]) == ["acked"]
    assert committed(group, 2) == 2
    assert dead(group) == []


def test_a_new_partition_has_its_turn_though_the_others_have_plenty():
    group = make_lease_group(partitions=2)
    for partition in (0, 1):
        produce(group, 1_000, partition=partition)
    lease_one(group, 1)
    add(group.stream, 3)
    produce(group, 1, partition=2)
    for _ in range(60):
        deliveries = lease(group, 1).deliveries
        if deliveries[0].partition == 2:
            return
    raise AssertionError("it starves")


def test_a_worker_that_knows_fewer_hands_out_again_what_failed_in_a_new_partition():
    group = make_lease_group(partitions=2)
    known = info(group)
    add(group.stream, 3)
    produce(group, 1, partition=2)
    nack(group, lease_one(group))
    (delivery,) = lease_deliveries(stream=known, group=group, consumer="outdated", max_events=10).deliveries
    assert (delivery.partition, offsets([delivery]), delivery.delivery_count) == (2, [1], 2)


def test_a_worker_that_knows_fewer_shows_what_is_held_in_a_browser(owner):
    group = make_lease_group(partitions=2)
    known = info(group)
    add(group.stream, 3)
    produce(group, 1, partition=2)
    lease_one(group, consumer=f"browser:{owner.pk}:tab")
    held = list_held_in_browsers(stream=known, group=group, user_id=owner.pk, max_bytes=1_000)
    assert [each.partition for each in held] == [2]


def test_a_lease_that_waits_is_answered_and_the_next_one_waits_for_all(api, stream):
    make_group(stream, "workers", mode="lease")
    ask = partial(api.post, "/streams/orders/consumer-groups/workers/lease", {"wait": 25})
    [waiter] = waiting(ask, partitions=2)
    add(stream, 3)
    assert waiter.result(5).json()["deliveries"] == []
    [waiter] = waiting(ask, partitions=3)
    put(2, "a")
    (delivery,) = waiter.result(5).json()["deliveries"]
    assert delivery["partition"] == 2


# --- a worker that remembers the old count ---------------------------------------------------------------


@pytest.fixture
def outdated(api, stream):
    """A client of a worker that looked the stream up just before a partition was added and filled on another one."""
    make_group(stream, "billing")
    known = load_stream("orders")
    add(stream, 3)
    put(2, "new")
    remember(known)
    return api


def test_it_takes_offsets_that_another_one_gave(outdated):
    assert payloads(poll(outdated, last_offset="0=0,1=0,2=0")) == ["new"]


def test_it_reads_commits_and_parks_in_a_partition_that_another_one_named(outdated):
    known = lookup.find_stream("orders")
    assert payloads(poll(outdated, partition=2, last_offset=0)) == ["new"]
    remember(known)
    done = outdated.post(f"{GROUP}/offsets", {"offsets": [{"partition": 2, "offset": 1}]})
    assert done.json()["data"][0]["status"] == "committed"
    remember(known)
    parked = outdated.post(f"{GROUP}/dead-letters", {"partition": 2, "offset": 1, "error": "no"})
    assert parked.status_code == 201, parked.content
    assert outdated.get("/streams/orders/events/2/2").json()["code"] == "event_not_found"


def test_a_seek_of_the_whole_group_reaches_the_new_partition(outdated):
    group = GroupOffset.objects.first().group
    seek_group(stream=lookup.find_stream("orders"), group=group, target=SeekTarget(SeekTo.LATEST))
    assert [committed(group, number) for number in range(3)] == [0, 0, 1]


def test_headers_of_offsets_of_before_stay_readable():
    told = write_offset_headers(next_offsets={0: 1, 1: 2}, head_offsets={0: 1, 1: 2}, lags={0: 0, 1: 0}, gaps={})
    assert told["EventFlow-Next-Offset"] == "0=1,1=2"
