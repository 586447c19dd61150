"""Partitions are added while everybody works: each event is there once, in order, and no key goes back."""

import threading
import time
from collections import Counter, defaultdict
from functools import partial
from itertools import count, groupby, pairwise
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from consumers.models import ConsumerGroup, DeadLetter, GroupOffset
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.groups import GroupSettings, create_group, delete_group
from consumers.services.leasing import lease_deliveries
from streams.errors import StreamNotFound
from streams.lookup import StreamInfo, load_stream
from streams.models import Partition, Stream
from streams.partitioning import partition_of_key
from streams.services.lifecycle import change_stream, delete_stream
from tests.consumers.leases import ack, committed, info, lease, make_lease_group, nack, produce
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.scenarios.http import Server
from tests.threads import Work, at_once, in_threads, waits_for_a_lock
from tests.web_server import WebServer

pytestmark = pytest.mark.usefixtures("db_with_commits")

# How the stream grows, and for how long it is used before and after each step.
COUNTS = (2, 3, 8)
STEP_SECONDS = 2.0
PRODUCERS, KEYS_EACH = 4, 6
TURNS = 12


def add(stream: Stream, partitions: int) -> None:
    change_stream(stream=stream, changes={"partition_count": partitions}, now=timezone.now(), confirm=stream.name)


# --- under load ------------------------------------------------------------------------------------------


class Load:
    """Producers, and readers of each kind, over HTTP to a server with several workers; what each of them was told."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._is_over = threading.Event()
        self.appended: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.read: list[tuple[int, int]] = []
        self.acked: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def servers(self) -> list[Server]:
        """Several connections: each request of somebody goes to another one, and so to another worker at times."""
        return [Server(self._port, X_API_Key=self._key) for _ in range(4)]

    def produce(self, producer: int) -> None:
        servers, keys = self.servers(), [f"{producer}-{number}" for number in range(KEYS_EACH)]
        for turn in count():
            if self._is_over.is_set():
                return
            events = [{"key": key, "payload": turn} for key in keys]
            status, answer = servers[turn % 4].call("POST", "/streams/orders/events", events)
            assert status == 202, (status, answer)
            for key, stored in zip(keys, answer["events"], strict=True):
                self.appended[key].append((stored["partition"], stored["offset"]))

    def consume(self, group: str) -> None:
        servers, path = self.servers(), f"/streams/orders/consumer-groups/{group}"
        for turn in count():
            server = servers[turn % 4]
            status, answer = server.call("POST", f"{path}/lease", {"max_events": 40, "wait": 1})
            assert status == 200, (status, answer)
            deliveries = answer["deliveries"]
            if not deliveries and self._is_over.is_set():
                return
            if turn % 5 == 0:
                # Half of the answers' first deliveries fail once and come again, from whichever worker.
                failed, deliveries = deliveries[:1], deliveries[1:]
                self._end(server, f"{path}/nack", failed)
            self._end(server, f"{path}/ack", deliveries)
            self.acked[group] += [(e["partition"], e["offset"]) for each in deliveries for e in each["events"]]

    @staticmethod
    def _end(server: Server, path: str, deliveries: list[dict[str, Any]]) -> None:
        named = [{"delivery_id": d["delivery_id"], "lease_token": d["lease_token"]} for d in deliveries]
        if named:
            more = {"error": "once"} if path.endswith("nack") else {}
            status, answer = server.call("POST", path, {"deliveries": [each | more for each in named]})
            assert status == 200, (status, answer)

    def follow(self) -> None:
        """Read on from where the last answer ended, without a group."""
        servers, place = self.servers(), "0=0,1=0"
        for turn in count():
            query = f"/streams/orders/events?last_offset={place}&limit=200&wait=1"
            status, events, headers = servers[turn % 4].exchange("GET", query)
            assert status == 200, (status, events)
            if not events and self._is_over.is_set():
                return
            self.read += [(event["partition"], event["offset"]) for event in events]
            place = headers["EventFlow-Next-Offset"]

    def end(self) -> None:
        self._is_over.set()


@pytest.mark.processes
def test_under_load_each_event_is_there_once_in_order_and_no_key_goes_back():
    owner = make_owner()
    stream = make_stream("orders", owner=owner, partitions=COUNTS[0])
    for name, ordering in (("any", "none"), ("strict", "partition")):
        make_group(stream, name, mode="lease", ordering=ordering, backoff_seconds=(0,), max_failures=1_000)
    with WebServer(workers=3) as web:
        load = Load(web.port, make_key(owner))
        works = [Work(partial(load.produce, number)) for number in range(PRODUCERS)]
        works += [Work(partial(load.consume, name)) for name in ("any", "any", "strict", "strict")]
        works.append(Work(load.follow))
        person = Server(web.port, X_API_Key=make_key(owner))
        for partitions in COUNTS[1:]:
            time.sleep(STEP_SECONDS)
            person.ok("PATCH", "/streams/orders?confirm=orders", {"partitions": partitions})
        time.sleep(STEP_SECONDS)
        load.end()
        for work in works:
            work.result()

    stored = [place for places in load.appended.values() for place in places]
    heads = dict(Partition.objects.filter(stream=stream).values_list("number", "head_offset"))
    everything = {(number, offset) for number, head in heads.items() for offset in range(1, head + 1)}
    assert Counter(stored) == Counter(everything)
    assert all(heads.values()), heads

    for key, places in load.appended.items():
        left = list(places)
        for partitions in COUNTS:
            here = partition_of_key(key, partitions)
            along = [offset for number, offset in left[: _prefix(left, here)]]
            assert along == sorted(along)
            left = left[len(along) :]
        assert not left, f"{key} went back: {[number for number, _ in groupby(number for number, _ in places)]}"

    assert Counter(load.read) == Counter(everything), "a reader"
    for number in heads:
        own = [offset for partition, offset in load.read if partition == number]
        assert all(after == before + 1 for before, after in pairwise(own))
    for name, acked in load.acked.items():
        assert Counter(acked) == Counter(everything), name
        group = ConsumerGroup.objects.get(name=name)
        assert (
            dict(GroupOffset.objects.filter(group=group).values_list("partition__number", "committed_offset")) == heads
        )


def _prefix(places: list[tuple[int, int]], partition: int) -> int:
    """How many of the first places are in this partition."""
    return next((index for index, (number, _) in enumerate(places) if number != partition), len(places))


# --- with whoever changes the stream or its groups ---------------------------------------------------------


@pytest.fixture
def stream() -> Stream:
    return make_stream("orders", partitions=2)


def places_of(group: ConsumerGroup) -> list[int]:
    return list(
        GroupOffset.objects.filter(group=group)
        .order_by("partition__number")
        .values_list("partition__number", flat=True)
    )


def test_groups_made_meanwhile_have_a_place_in_every_partition(stream):
    known = load_stream("orders")
    for turn in range(TURNS):
        make = [
            partial(create_group, stream=known, name=f"g-{turn}-{n}", settings=GroupSettings(), owner=stream.owned_by)
            for n in range(3)
        ]
        at_once(partial(add, stream, 3 + turn), *make)
    for group in ConsumerGroup.objects.all():
        assert places_of(group) == list(range(2 + TURNS)), group.name
    assert ConsumerGroup.objects.count() == 3 * TURNS


def test_a_group_that_is_made_waits_for_partitions_that_are_being_added_and_the_other_way_round(stream):
    known = load_stream("orders")
    make = partial(create_group, stream=known, settings=GroupSettings(), owner=stream.owned_by)
    with transaction.atomic():
        add(stream, 3)
        work = Work(partial(make, name="late"))
        wait_for("it to wait", waits_for_a_lock)
    group, _ = work.result()
    assert places_of(group) == [0, 1, 2]
    with transaction.atomic():
        group, _ = make(name="early")
        work = Work(partial(add, stream, 4))
        wait_for("it to wait", waits_for_a_lock)
    work.result()
    assert places_of(group) == [0, 1, 2, 3]


def test_groups_deleted_meanwhile_are_gone_with_all_their_places(stream):
    for turn in range(TURNS):
        groups = [make_group(stream) for _ in range(3)]
        deletions = [partial(delete_group, group=group, confirm=group.name) for group in groups]
        at_once(partial(add, stream, 3 + turn), *deletions)
    assert not GroupOffset.objects.exists()
    assert Partition.objects.filter(stream=stream).count() == 2 + TURNS


def test_of_two_who_add_at_once_both_get_what_they_ask_for_or_are_told_that_there_are_more(stream):
    group = make_group(stream)
    outcomes = in_threads([partial(add, stream, partitions) for partitions in (3, 5, 4, 5, 6)])
    assert all(outcome is None or outcome.code == "partitions_only_added" for outcome in outcomes)
    stream.refresh_from_db()
    assert stream.partition_count == 6
    assert list(stream.partitions.values_list("number", "least_placed_among")) == [(n, 6) for n in range(6)]
    assert places_of(group) == list(range(6))


@pytest.mark.parametrize("turn", range(TURNS))
def test_a_stream_deleted_meanwhile_leaves_nothing_behind(turn):
    stream = make_stream("orders", partitions=2)
    make_group(stream)

    def add_late() -> None:
        time.sleep(turn / 1000)
        add(stream, 4)

    def delete_late() -> None:
        time.sleep((TURNS - turn) / 1000)
        delete_stream(stream=stream, confirm="orders")

    added, deleted = in_threads([add_late, delete_late])
    assert deleted is None
    assert added is None or isinstance(added, StreamNotFound), added
    assert not Stream.objects.exists()
    assert not Partition.objects.exists()
    assert not GroupOffset.objects.exists()


def test_a_redrive_goes_on_and_is_handed_out_by_whoever_knows_less():
    group = make_lease_group(partitions=2, max_failures=1)
    known: StreamInfo = info(group)
    add(group.stream, 3)
    for partition in range(3):
        produce(group, 2, partition=partition)
    while deliveries := lease(group, 10).deliveries:
        nack(group, *deliveries)
    letters = list(DeadLetter.objects.filter(group=group))
    assert len(letters) == 6
    redrives = [partial(redrive_dead_letter, dead_letter=letter, requested_by="user:1") for letter in letters]
    at_once(partial(add, group.stream, 5), *redrives)
    came: Counter[tuple[int, int]] = Counter()
    while deliveries := lease_deliveries(stream=known, group=group, consumer="w", max_events=10).deliveries:
        came.update((each.partition, each.first_offset) for each in deliveries)
        assert set(ack(group, *deliveries)) == {"acked"}
    assert came == Counter({(partition, offset): 1 for partition in range(3) for offset in (1, 2)})
    assert [committed(group, number) for number in range(5)] == [2, 2, 2, 0, 0]
