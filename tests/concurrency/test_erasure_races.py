"""An erasure meets whoever appends, reads, trims, gives up, parks and redrives: no copy of the payload outlives it."""

import threading
import time
from functools import partial

import orjson
import pytest
from django.db import transaction
from django.utils import timezone

from consumers.errors import EventErased
from consumers.models import DeadLetter, Delivery, Redrive
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.erasure import erase_event
from consumers.statements import run
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.stored_event import is_erased
from tests.concurrency.test_log_retention import check_counters
from tests.consumers.leases import (
    ack,
    eventually,
    info,
    lease,
    lease_one,
    make_lease_group,
    nack,
    produce,
)
from tests.factories import make_group
from tests.streams.log.appending import Load, appending_here, event
from tests.threads import Work, at_once, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")


def erase(group, offset=1):
    return erase_event(stream=info(group), partition=0, offset=offset, reason="asked for", now=timezone.now())


def check_no_payload_is_left(*, copies):
    events = [bytes(each) for each in DeadLetter.objects.values_list("event", flat=True)]
    events += [
        bytes(each) for each in Redrive.objects.exclude(edited_event=None).values_list("edited_event", flat=True)
    ]
    assert [is_erased(each) for each in events] == [True] * copies
    assert not Redrive.objects.exclude(difference="").exists()


def make_exhausted(group):
    produce(group, 3)
    first = lease_one(group, 1)
    nack(group, first, is_terminal=True)
    assert Delivery.objects.get(group=group).state == "exhausted"


def park(group):
    return report_dead_letter(stream=info(group), group=group, partition=0, offset=1, error="no", reporter="me")


# --- in the log ------------------------------------------------------------------------------------------


def test_all_events_of_one_batch_erased_at_once_are_all_erased(partition, make_log):
    logs = [make_log() for _ in range(4)]
    for _ in range(5):
        logs[0].append([PartitionAppend(partition, [event(str(number), 5) for number in range(8)])])
        head = logs[0].bounds([partition])[partition.id].head_offset
        now = timezone.now()
        offsets = range(head - 7, head + 1)
        at_once(*[partial(logs[offset % 4].erase, partition, offset, at=now) for offset in offsets])
        for log in logs:
            events = log.read(partition, after=0, max_events=1_000, max_bytes=1 << 20).events
            assert all(map(is_erased, events))
        check_counters(partition)


def test_no_reader_sees_a_payload_after_the_answer_whatever_else_goes_on(partition, postgres_log, make_log):
    """Appends, retention and readers with caches of their own run; each read knows what was erased before it began."""
    logs = [postgres_log, make_log(cache_bytes=0), make_log(cache_bytes=20_000), make_log()]
    stop = threading.Event()
    erased: set[int] = set()
    seen = dict.fromkeys(logs, 0)

    def read(log):
        position = 0
        while not stop.is_set():
            known = set(erased)
            result = log.read(partition, after=position, max_events=40, max_bytes=1 << 20)
            for text, offset in zip(result.events, result.offsets, strict=True):
                if offset in known:
                    assert is_erased(text), f"offset {offset} was erased before it was read"
                    seen[log] += 1
            position = result.next_offset if result.next_offset < result.bounds.head_offset else position // 2

    def trim():
        while not stop.is_set():
            postgres_log.trim(partition, keep_events=300, max_batches=3)
            time.sleep(0.002)

    def erase_some():
        while not stop.is_set():
            bounds = postgres_log.bounds([partition])[partition.id]
            offset = bounds.head_offset - len(erased) % 100
            if offset >= bounds.earliest_offset and postgres_log.erase(partition, offset, at=timezone.now()):
                erased.add(offset)
            time.sleep(0.001)

    with appending_here(postgres_log, Load([partition], threads=2)):
        works = [Work(trim), Work(erase_some), *(Work(partial(read, log)) for log in logs)]
        try:
            eventually(lambda: len(erased) >= 60 and min(seen.values()) >= 100, seconds=60)
        finally:
            stop.set()
            for work in works:
                work.result()
    check_counters(partition)


def test_whoever_holds_the_partition_reads_what_is_erased_after_it_has_ended(partition, postgres_log):
    postgres_log.append([PartitionAppend(partition, [event("a")])])

    def hold_and_read():
        with transaction.atomic():
            postgres_log.hold([partition])
            (text,) = postgres_log.read(partition, after=0, max_events=1, max_bytes=1).events
        return is_erased(text)

    with transaction.atomic():
        postgres_log.hold([partition])
        erasing = Work(lambda: postgres_log.erase(partition, 1, at=timezone.now()))
        eventually(waits_for_a_lock)
        # Appends and others that hold go on meanwhile.
        assert Work(hold_and_read).result() is False
    assert erasing.result().is_new

    postgres_log.append([PartitionAppend(partition, [event("b")])])
    with transaction.atomic():
        postgres_log.erase(partition, 2, at=timezone.now())
        holding = Work(hold_and_read)
        eventually(waits_for_a_lock)
    assert holding.result() is True


# --- dead letters ----------------------------------------------------------------------------------------


def test_what_a_group_gives_up_on_while_it_is_erased_is_copied_erased():
    group = make_lease_group()
    make_exhausted(group)
    with transaction.atomic():
        erase(group)
        moving = Work(lambda: move_exhausted(group=group))
        eventually(waits_for_a_lock)
    assert moving.result() == 1
    check_no_payload_is_left(copies=1)


def test_what_is_being_copied_is_erased_when_the_copy_is_there():
    group = make_lease_group()
    make_exhausted(group)
    with transaction.atomic():
        assert move_exhausted(group=group) == 1
        erasing = Work(lambda: erase(group))
        eventually(waits_for_a_lock)
    assert is_erased(erasing.result())
    check_no_payload_is_left(copies=1)


def test_what_is_parked_while_it_is_erased_is_copied_erased():
    group = make_lease_group()
    produce(group, 1)
    parking = make_group(group.stream)
    with transaction.atomic():
        erase(group)
        reporting = Work(lambda: park(parking))
        eventually(waits_for_a_lock)
    reporting.result()
    check_no_payload_is_left(copies=1)


@pytest.mark.parametrize("how", ["parked", "given up"])
def test_a_group_that_the_erasure_did_not_see_copies_nothing_else(how):
    """It is made between the two locks that an erasure takes, so nobody keeps it from its own offsets."""
    group = make_lease_group()
    produce(group, 3)
    place = info(group).partition(0)

    def make_copy(late):
        return Work(lambda: park(late)) if how == "parked" else Work(lambda: move_exhausted(group=late))

    with transaction.atomic():
        run("lock_offsets_of_partition", partition_id=place.id)
        late = Work(partial(make_group, group.stream, mode="offset" if how == "parked" else "lease")).result()
        if how == "given up":
            Work(lambda: nack(late, lease_one(late, 1), is_terminal=True)).result()
        erased = get_log().erase(place, 1, at=timezone.now())
        assert erased is not None
        copying = make_copy(late)
        eventually(waits_for_a_lock)
        run("erase_copies", partition_id=place.id, offset=1, event=erased.event)
    copying.result()
    check_no_payload_is_left(copies=1)


# --- redrives --------------------------------------------------------------------------------------------


def make_letter(group):
    make_exhausted(group)
    move_exhausted(group=group)
    return DeadLetter.objects.select_related("group__stream").get()


def edit(letter):
    return redrive_dead_letter(dead_letter=letter, requested_by="me", payload=b'{"n":2}')


def test_an_edit_of_what_is_erased_meanwhile_is_refused():
    group = make_lease_group()
    letter = make_letter(group)
    with transaction.atomic():
        erase(group)
        editing = Work(lambda: edit(letter))
        eventually(waits_for_a_lock)
    with pytest.raises(EventErased):
        editing.result()
    assert DeadLetter.objects.get().status == "open"
    check_no_payload_is_left(copies=1)


def test_an_edit_under_way_is_erased_as_soon_as_it_is_there():
    group = make_lease_group()
    letter = make_letter(group)
    with transaction.atomic():
        edit(letter)
        erasing = Work(lambda: erase(group))
        eventually(waits_for_a_lock)
    erasing.result()
    check_no_payload_is_left(copies=2)
    (delivery,) = [each for each in lease(group).deliveries if each.dead_letter_id]
    (given,) = delivery.events
    assert (is_erased(given), orjson.loads(given)["payload"]) == (True, None)


def test_nobody_waits_for_an_erasure_in_a_circle():
    """Everything that works with dead letters, with erasures in between: each ends, none by a deadlock."""
    groups = [make_lease_group()]
    groups += [make_lease_group(stream=groups[0].stream) for _ in range(2)]
    produce(groups[0], 60)
    stop = threading.Event()
    rounds = dict.fromkeys(["consume", "move", "redrive", "erase"], 0)

    def again(name, act):
        while not stop.is_set():
            act()
            rounds[name] += 1

    def consume(group):
        for number, delivery in enumerate(lease(group, 3).deliveries):
            if number % 2:
                ack(group, delivery)
            else:
                nack(group, delivery, is_terminal=True)
        produce(groups[0], 1)

    def redrive(group):
        for letter in DeadLetter.objects.filter(group=group, status="open").select_related("group__stream")[:3]:
            redrive_dead_letter(dead_letter=letter, requested_by="me")

    def erase_one():
        erase(groups[0], 1 + rounds["erase"] % 60)

    works = [Work(partial(again, "erase", erase_one)) for _ in range(2)]
    for group in groups:
        works.append(Work(partial(again, "consume", partial(consume, group))))
        works.append(Work(partial(again, "move", partial(lambda group: move_exhausted(group=group), group))))
        works.append(Work(partial(again, "redrive", partial(redrive, group))))
    try:
        eventually(lambda: min(rounds.values()) >= 60 or any(not work.is_alive() for work in works), seconds=60)
    finally:
        stop.set()
        for work in works:
            work.result()
    for letter in DeadLetter.objects.filter(offset__lte=60):
        erase(groups[0], letter.offset)
    assert all(is_erased(bytes(letter.event)) for letter in DeadLetter.objects.filter(offset__lte=60))
