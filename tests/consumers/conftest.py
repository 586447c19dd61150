"""Groups with so many deliveries that they are made once for a file, whose tests only look at them."""

import pytest
from django.db import connection

from tests.consumers.leases import info, make_lease_group
from tests.consumers.plans import fill

HELD_UP = 20_000


@pytest.fixture(scope="module")
def crowded(db_with_commits_for_all):
    """A group with 20,000 waiting and 1,000 leased deliveries, beside another one with as many; a file only looks at it."""
    group = make_lease_group(max_in_flight=1_000_000)
    fill(group, leased=1_000, exhausted=1_000)
    fill(make_lease_group(stream=group.stream), leased=1_000, exhausted=1_000)
    return group


@pytest.fixture(scope="module", params=[100, 1], ids=["of a hundred keys", "of one key"])
def held_up(db_with_commits_for_all, request):
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
