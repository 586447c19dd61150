"""Whoever sends the same ids at the same time, from wherever, and is killed: each is stored once, and all hear where."""

import json
import random
import threading
from collections import defaultdict

import pytest

from streams.digests import digests_of
from streams.envelope import make_ids
from streams.errors import HeadMoved
from streams.log.protocol import Deduplication, PartitionAppend
from streams.models import Partition
from tests.concurrency.repeating import DAY, once
from tests.forked import Forked
from tests.streams.log.appending import event, read_all
from tests.threads import in_threads

pytestmark = pytest.mark.processes

NAMES = [f"id-{number}" for number in range(600)]


def sender(partitions, seed):
    options = {"partitions": partitions, "names": NAMES, "seed": seed}
    return Forked("tests.concurrency.repeating", json.dumps(options))


def places_told(text):
    told = defaultdict(set)
    # Half a line of one that was killed does not count.
    for line in text.split("\n")[:-1]:
        name, number, offset = line.split()
        told[name].add((int(number), int(offset)))
    return told


def places_stored(log, partitions):
    stored = defaultdict(list)
    for partition in partitions:
        for one in read_all(log, partition):
            stored[one["id"]].append((partition.number, one["offset"]))
    return stored


def test_four_processes_with_the_same_ids_store_each_once(make_partitions, postgres_log):
    partitions = make_partitions(3)
    senders = [sender(partitions, f"seed-{number}") for number in range(4)]
    told = [places_told(each.stdout.read()) for each in senders]
    assert [each.wait(60) for each in senders] == [0] * 4

    stored = places_stored(postgres_log, partitions)
    assert sorted(stored) == sorted(NAMES)
    for name, places in stored.items():
        assert len(places) == 1, f"{name} is stored at {places}"
        assert {place for some in told for place in some[name]} == set(places)


def test_processes_that_are_killed_in_between_leave_nothing_doubled_and_nothing_out(make_partitions, postgres_log):
    partitions = make_partitions(3)
    told = defaultdict(set)
    for round_ in range(6):
        senders = [sender(partitions, f"{round_}-{number}") for number in range(2)]
        lines = [each.stdout.readline() for each in senders]
        assert all(lines)
        for each in senders:
            each.kill()
        for each, first in zip(senders, lines, strict=True):
            for name, places in places_told(first + each.stdout.read()).items():
                told[name] |= places
            each.wait(60)
    last = sender(partitions, "last")
    for name, places in places_told(last.stdout.read()).items():
        told[name] |= places
    assert last.wait(60) == 0

    stored = places_stored(postgres_log, partitions)
    assert {name: set(places) for name, places in stored.items()} == dict(told)
    assert max(map(len, stored.values())) == 1
    assert sorted(stored) == sorted(NAMES)


def test_ids_that_were_made_on_one_worker_are_known_to_the_others_from_the_answer_on(make_partitions, make_log):
    partitions = make_partitions(3)
    stream_id = Partition.objects.get(pk=partitions[0].id).stream_id
    logs = [make_log() for _ in range(3)]

    def make_and_send_again(number):
        """Store batches with ids of the server's own by one worker, and send each again, shuffled, by another."""
        dice = random.Random(number)
        unknown = []
        for _ in range(15):
            names = make_ids(dice.randint(1, 40))
            made = Deduplication(stream_id, DAY, digests_of(names), are_new=True)
            records = [event(name) for name in names]
            logs[number].append([PartitionAppend(dice.choice(partitions), records, made)])
            dice.shuffle(names)
            again = once(dice.choice(partitions), stream_id, names)
            (range_,) = logs[(number + 1) % 3].append([again]).ranges
            unknown += [name for position, name in enumerate(names) if position not in range_.repeats]
        return unknown

    assert in_threads([lambda n=n: make_and_send_again(n) for n in range(3)]) == [[], [], []]
    stored = places_stored(logs[0], partitions)
    assert max(map(len, stored.values())) == 1


def test_of_many_who_expect_the_same_head_one_wins_each_time(make_partitions, make_log, postgres_log):
    [partition] = make_partitions()
    other = make_log()
    moved = []

    def count_up(log, name):
        """Add to the log as one adds to a number that others add to: at another head, look again."""
        head, won = 0, 0
        while won < 20:
            append = PartitionAppend(partition, [event(f"{name}-{won}")], expected_head=head)
            try:
                head = log.append([append]).ranges[0].last_offset
            except HeadMoved as refusal:
                moved.append(refusal.head - head)
                head = refusal.head
            else:
                won += 1
        return won

    noise = threading.Event()

    def append_beside():
        while not noise.is_set():
            other.append([PartitionAppend(partition, [event("noise")])])
            noise.wait(0.005)

    beside = threading.Thread(target=append_beside)
    beside.start()
    won = in_threads([lambda n=n: count_up((postgres_log, other)[n % 2], str(n)) for n in range(6)])
    noise.set()
    beside.join()

    names = [one["id"] for one in read_all(postgres_log, partition)]
    assert won == [20] * 6
    assert sorted(name for name in names if name != "noise") == sorted(f"{n}-{k}" for n in range(6) for k in range(20))
    # They did get into each other's way, and nobody was refused at the head that was expected.
    assert len(moved) > 20
    assert 0 not in moved


def test_requests_of_one_commit_do_not_fail_for_one_that_expected_another_head(make_partitions, postgres_log):
    [partition] = make_partitions()

    def append(number):
        expected = 10**6 if number % 3 == 0 else None
        try:
            return postgres_log.append([PartitionAppend(partition, [event(str(number))], expected_head=expected)])
        except HeadMoved as refusal:
            return refusal

    outcomes = in_threads([lambda n=n: append(n) for n in range(90)])
    assert [isinstance(outcome, HeadMoved) for outcome in outcomes] == [n % 3 == 0 for n in range(90)]
    assert len(read_all(postgres_log, partition)) == 60
