"""The statements of the order of keys are served by indexes: however many events are held up, each key costs one entry."""

import pytest

from tests.consumers.leases import info
from tests.consumers.plans import delivery_scans, plan_of

pytestmark = pytest.mark.slow("holds up 20,000 events and vacuums them")


def test_whose_turn_it_is_is_one_entry_for_each_key(held_up):
    plan = plan_of(
        "find_key_turns", group_id=held_up.pk, partition_id=info(held_up).partition(0).id, key_hashes=list(range(200))
    )
    assert all(
        "delivery_of_a_key_in_order" in scan or "delivery_of_a_key_leased_one_at_a_time" in scan
        for scan in delivery_scans(plan)
    ), plan


def test_the_next_of_a_key_is_the_first_entry_of_it(held_up):
    plan = plan_of(
        "let_next_go", group_id=held_up.pk, partition_ids=[info(held_up).partition(0).id] * 2, key_hashes=[1, 2]
    )
    assert "delivery_of_a_key_in_order" in plan, plan
    assert all("delivery_of_a_key_in_order" in s or "delivery_pkey" in s for s in delivery_scans(plan)), plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("find_due_by_key", "delivery_waiting_by_due"),
        ("find_alone_by_key", "delivery_waiting_by_due"),
        ("find_suspects_by_key", "delivery_suspected"),
    ],
)
def test_what_is_due_is_found_beside_all_that_is_held_up(held_up, name, index):
    plan = plan_of(name, group_id=held_up.pk, max_rows=100)
    assert index in plan, plan
    assert "Sort" not in plan, plan
    assert "Seq Scan" not in plan, plan


def test_what_was_found_due_is_taken_by_its_key_alone(held_up):
    plan = plan_of(
        "pick_due_by_key",
        group_id=held_up.pk,
        delivery_ids=list(range(100)),
        partition_ids=[info(held_up).partition(0).id],
    )
    assert "Seq Scan on consumers_delivery" not in plan, plan
    assert "delivery_pkey" in plan, plan


def test_what_is_held_up_and_gone_is_found_by_its_offset(held_up):
    plan = plan_of("lose_held_up", group_id=held_up.pk, partition_id=info(held_up).partition(0).id, earliest_offset=150)
    assert "delivery_held_up" in plan, plan


@pytest.mark.parametrize("name", ["held_keys", "find_forgotten_keys"])
def test_what_holds_up_a_key_is_the_first_entry_of_it(held_up, name):
    params = {"group_id": held_up.pk, "max_keys": 100} if name == "held_keys" else {}
    plan = plan_of(name, **params)
    assert "Index Scan using delivery_of_a_key_in_order on consumers_delivery delivery" in plan, plan
