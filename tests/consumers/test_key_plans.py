"""The statements of the order of keys are served by indexes: however many events are held up, each key costs one entry."""

import re

import pytest
from django.db import connection

from tests.consumers.leases import info, make_lease_group
from tests.consumers.test_lease_plans import delivery_scans, fill, plan_of

pytestmark = [pytest.mark.usefixtures("db_with_commits"), pytest.mark.slow("holds up 20,000 events and vacuums them")]
HELD_UP = 20_000


@pytest.fixture(params=[100, 1], ids=["of a hundred keys", "of one key"])
def held_up(request):
    """A group of which many events of so many keys are held up, beside one in which some deliveries are leased.

    Of a single key the statistics say that every row has it.
    """
    waiting = 0 if request.param == 1 else 20_000
    group = make_lease_group(ordering="key")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO consumers_delivery (group_id, partition_id, round, first_offset, last_offset, state, is_alone,
                   delivery_count, failure_count, key_hash, available_at, leased_by, exhausted_reason, last_error, created_at)
            SELECT %s, %s, 0, n, n, CASE WHEN n <= %s THEN 'waiting' ELSE 'held_up' END, false, 0, 0, n %% %s,
                   CASE WHEN n <= %s THEN now() END, '', '', '', now()
              FROM generate_series(1, %s) AS n
            """,
            [group.pk, info(group).partition(0).id, *[request.param] * 3, HELD_UP],
        )
    fill(make_lease_group(stream=group.stream), waiting=waiting, leased=100)
    return group


@pytest.fixture
def emptied(held_up):
    """All of it is finished, and vacuum came by just then: how many there are was counted when there were none.

    Other indexes than that of the keys are small at that moment. They fill again, and plans stay in use.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM consumers_delivery")
        cursor.execute("VACUUM (TRUNCATE off) consumers_delivery")
        cursor.execute("REINDEX INDEX delivery_of_an_event_unique_in_group")
        cursor.execute("REINDEX INDEX delivery_leased_by_expiry")
        cursor.execute(
            """
            UPDATE pg_class SET reltuples = 0
             WHERE oid = 'consumers_delivery'::regclass
                OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'consumers_delivery'::regclass)
            """
        )
    return held_up


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


BY_KEY = {
    "find_key_turns": {"key_hashes": [1, 2]},
    "let_next_go": {"key_hashes": [1, 2]},
    "find_due_by_key": {"max_rows": 100},
    "find_alone_by_key": {"max_rows": 100},
    "find_suspects_by_key": {"max_rows": 100},
    "pick_due_by_key": {"delivery_ids": [1, 2]},
    "held_keys": {"max_keys": 100},
    "find_forgotten_keys": {},
}


@pytest.mark.parametrize("name", BY_KEY)
def test_a_key_is_looked_up_by_its_own_index_whenever_the_deliveries_were_counted(emptied, name):
    partition_id = info(emptied).partition(0).id
    params = {"group_id": emptied.pk, "partition_id": partition_id, "partition_ids": [partition_id] * 2, **BY_KEY[name]}
    plan = plan_of(name, is_by_key=True, **params)
    assert not re.search(r"Sort Key: (\w+\.)?key_hash", plan), plan
    assert "delivery_of_a_key_in_order" in plan or "delivery_of_a_key_leased_one_at_a_time" in plan, plan
