"""What leases leave behind is forgotten as fast as it comes."""

import pytest
from django.db import connection

from consumers.conf import ENDED_LEASE_SECONDS, PURGE_STEP_ROWS
from consumers.models import EndedLease
from consumers.services import reconcile
from consumers.tasks import tidy_up_lease_mode

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_one_tick_forgets_the_ended_leases_of_many_consumers_that_ack_all_the_time(monkeypatch):
    # It takes its time on a busy machine, and is not what ends it here.
    monkeypatch.setattr(reconcile, "PURGE_TICK_SECONDS", 600.0)
    # In the ten seconds between two ticks four thousand acks a second leave more than that.
    many = 4 * PURGE_STEP_ROWS
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consumers_endedlease (lease_token, delivery_id, group_id, outcome, ended_at)"
            " SELECT gen_random_uuid(), number, 1, 'acked',"
            "        now() - make_interval(secs => CASE WHEN number <= %s THEN %s + 60 ELSE 0 END)"
            "   FROM generate_series(1, %s) AS number",
            [many, ENDED_LEASE_SECONDS, many + 2],
        )

    assert tidy_up_lease_mode() == many
    assert EndedLease.objects.count() == 2
