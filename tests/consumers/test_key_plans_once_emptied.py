"""A key is looked up by its own index, also by plans that were made when there was nothing to look up."""

import re

import pytest
from django.db import connection

from tests.consumers.leases import info
from tests.consumers.plans import plan_of

pytestmark = pytest.mark.slow("holds up 20,000 events and vacuums them")


@pytest.fixture(scope="module")
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
