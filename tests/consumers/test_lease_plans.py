"""Every hot statement of lease mode is served by an index: however much waits, only the first entries are read."""

import re

import pytest

from consumers.models import ConsumerGroup, Delivery
from tests.consumers.leases import info
from tests.consumers.plans import HANDED_OUT, delivery_scans, plan_of

pytestmark = pytest.mark.slow("hands out 40,000 events and vacuums them")
TOKEN = "01a2058e-b606-7094-8c31-55e4ce2d8688"


def test_looking_at_a_group_reads_the_first_entries_only(crowded):
    plan = plan_of("group_pulse", group_id=crowded.pk, max_in_flight=1000, max_suspects=1000)

    assert "Seq Scan on consumers_delivery" not in plan, plan
    assert len(re.findall(r"Index (?:Only )?Scan using delivery_waiting_by_due", plan)) == 2, plan
    assert len(re.findall(r"Index (?:Only )?Scan using delivery_suspected", plan)) == 2, plan
    assert plan.count("Index Only Scan using delivery_leased_by_expiry") >= 1, plan
    assert "delivery_exhausted" in plan, plan
    assert "Index Scan using delivery_to_lapse" in plan or "Index Only Scan using delivery_to_lapse" in plan, plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("pick_due", "delivery_waiting_by_due"),
        ("pick_alone", "delivery_waiting_by_due"),
        ("pick_suspects", "delivery_suspected"),
    ],
)
def test_what_is_due_is_found_by_its_index_and_not_sorted(crowded, name, index):
    plan = plan_of(name, group_id=crowded.pk, max_rows=100)

    assert f"Index Scan using {index}" in plan, plan
    assert "Sort" not in plan, plan


def test_what_a_person_holds_is_found_beside_all_that_programs_hold(crowded):
    plan = plan_of("held_in_browsers", group_id=crowded.pk, held_by="browser:12:", max_rows=100)

    assert all("using delivery_in_browsers" in scan for scan in delivery_scans(plan)), plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("find_expired", "delivery_leased_by_expiry"),
        ("find_exhausted", "delivery_exhausted"),
        ("find_lapsed", "delivery_to_lapse"),
    ],
)
def test_the_reconciler_finds_its_work_by_an_index(crowded, name, index):
    plan = plan_of(name, group_id=crowded.pk, max_rows=100)

    assert f"using {index}" in plan, plan
    assert "Seq Scan" not in plan, plan


def test_an_ack_finds_its_delivery_by_key_and_the_next_unfinished_one_by_the_first_entry(crowded):
    ids = list(Delivery.objects.filter(group=crowded, state="leased").values_list("pk", flat=True)[:3])
    plan = plan_of("finish_deliveries", group_id=crowded.pk, delivery_ids=ids, tokens=[TOKEN] * 3)

    assert "Seq Scan on consumers_delivery" not in plan, plan
    assert "Index Only Scan using delivery_of_an_event_unique_in_group" in plan, plan
    assert all("delivery_of_an_event_unique_in_group" in s or "delivery_pkey" in s for s in delivery_scans(plan)), plan


def test_fresh_events_are_handed_out_without_a_look_at_the_deliveries(crowded):
    plan = plan_of(
        "lease_fresh",
        group_id=crowded.pk,
        token=TOKEN,
        consumer="w",
        ack_wait=30.0,
        is_alone=False,
        in_order=False,
        partition_ids=[info(crowded).partition(0).id],
        earliest_offsets=[1],
        head_offsets=[10],
        rooms=[10],
    )
    assert "Seq Scan on consumers_delivery" not in plan, plan


def test_events_that_were_sorted_are_handed_out_without_one_either(crowded):
    plan = plan_of(
        "lease_sorted",
        group_id=crowded.pk,
        partition_id=info(crowded).partition(0).id,
        token=TOKEN,
        consumer="worker",
        ack_wait=30.0,
        after=HANDED_OUT,
        first_offset=HANDED_OUT + 1,
        reached=HANDED_OUT + 5,
        in_order=False,
        by_key=False,
        is_alone=False,
        filtered=3,
        expired=0,
        first_offsets=[HANDED_OUT + 1],
        last_offsets=[HANDED_OUT + 2],
        are_held_up=[False],
        available_ats=[None],
        due_ats=[None],
        event_expires_ats=[None],
        key_hashes=[None],
        lapsed_first_offsets=[],
        lapsed_last_offsets=[],
    )
    assert delivery_scans(plan) == [], plan


def test_they_are_dealt_out_to_several_without_one_either(crowded):
    plan = plan_of(
        "deal_fresh",
        group_id=crowded.pk,
        wait_for=[info(crowded).partition(0).id],
        partition_ids=[info(crowded).partition(0).id],
        earliest_offsets=[1],
        head_offsets=[10],
        tokens=[TOKEN, TOKEN],
        consumers=["w", "v"],
        ack_waits=[30.0, 30.0],
        rooms=[5, 5],
        are_empty=[True, True],
    )
    assert delivery_scans(plan) == [], plan


@pytest.mark.parametrize("name", ["timeline_deliveries"])
def test_the_timeline_reads_one_entry_of_each_group(crowded, name):
    plan = plan_of(name, partition_id=info(crowded).partition(0).id, offset=100)

    assert "Seq Scan on consumers_delivery" not in plan, plan
    assert "delivery_of_an_event_unique_in_group" in plan, plan


def test_ready_partitions_of_an_ordered_group_are_found_by_their_first_entries(crowded):
    ConsumerGroup.objects.filter(pk=crowded.pk).update(ordering="partition")
    plan = plan_of(
        "find_ready_partitions",
        group_id=crowded.pk,
        max_rows=8,
        partition_ids=[info(crowded).partition(0).id],
        head_offsets=[10],
    )
    assert "Seq Scan on consumers_delivery" not in plan, plan
    assert "delivery_of_an_event_unique_in_group" in plan, plan
