"""Who waits for whom (docs/architecture.md): never in a circle. Each of these once ended in `deadlock detected`."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from consumers.models import Delivery
from consumers.services.leasing import extend_leases
from consumers.statements import run
from streams.models import Stream
from streams.services.lifecycle import delete_stream
from tests.consumers.leases import (
    ack,
    eventually,
    info,
    lease,
    lease_one,
    make_lease_group,
    nack,
    offsets,
    produce,
    refs,
)
from tests.threads import Work, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

STALL = 4711
# `pick_due.sql` asks for the time between its snapshot and its locks: here it has to wait for an answer.
STALLING_CLOCK = f"""
CREATE SCHEMA stalling;
CREATE FUNCTION stalling.statement_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() LIKE '%SKIP LOCKED%' THEN
        PERFORM pg_advisory_lock_shared({STALL}), pg_advisory_unlock_shared({STALL});
    END IF;
    RETURN pg_catalog.statement_timestamp();
END $$
"""


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def stalling_clock(db_with_commits: None) -> Iterator[None]:
    execute(STALLING_CLOCK)
    yield
    execute("DROP SCHEMA stalling CASCADE")


def test_what_a_lease_has_passed_by_is_not_kept_locked_while_it_waits_for_the_partition(stalling_clock):
    group = make_lease_group()
    produce(group, 10)
    nack(group, lease_one(group, 5))

    def lease_late() -> list[int]:
        execute("SET search_path = stalling, pg_catalog, public")
        return offsets(lease(group, 10).deliveries)

    execute(f"SELECT pg_advisory_lock({STALL})")
    late = Work(lease_late)
    eventually(waits_for_a_lock)
    # It has seen these two; now somebody of another process, who shares no commit with it, is quicker. It will lock the
    # first to look again, and keep the lock.
    with transaction.atomic():
        first, second = sorted(lease(group, 10).deliveries, key=lambda each: each.first_offset)
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=[info(group).partition(0).id])
        execute(f"SELECT pg_advisory_unlock({STALL})")
        eventually(lambda: waits_for_a_lock("transactionid"))
        assert ack(group, first) == ["acked"]

    assert late.result() == []
    assert ack(group, second) == ["acked"]


def test_an_ack_and_an_extension_of_the_same_leases_follow_each_other():
    group = make_lease_group()
    produce(group, 4)
    first, second = lease_one(group, 2), lease_one(group, 2)
    # Now the first stands behind the second in the table: whoever reads that meets them in this order.
    extend_leases(group=group, leases=refs(first), ack_wait_seconds=600)

    with transaction.atomic():
        list(Delivery.objects.select_for_update().filter(pk=first.id))
        extending = Work(lambda: extend_leases(group=group, leases=refs(first, second)))
        eventually(waits_for_a_lock)
        acking = Work(lambda: ack(group, second, first))
        eventually(lambda: waits_for_a_lock(count=2))

    assert [each.result for each in extending.result()] == ["extended", "extended"]
    assert acking.result() == ["acked", "acked"]


def test_a_stream_is_deleted_after_what_its_consumers_are_doing():
    group = make_lease_group()
    produce(group, 4)
    delivery = lease_one(group)
    stream = Stream.objects.get(pk=group.stream_id)

    with transaction.atomic():
        # What this says in the history names the partition, which must be there until it is committed.
        nack(group, delivery)
        deleting = Work(lambda: delete_stream(stream=stream, confirm=stream.name))
        eventually(waits_for_a_lock)

    deleting.result()
    assert not Delivery.objects.exists()
