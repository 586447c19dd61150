"""Many deliveries, and how PostgreSQL would read them."""

import re
from pathlib import Path

import psycopg
from django.db import connection

from tests.consumers.leases import info

SQL = Path(__file__).parents[2] / "consumers" / "sql"
HANDED_OUT = 100_000


def fill(group, *, waiting=20_000, leased=0, exhausted=0, past_due=False):
    """Put deliveries of one event each into a group, as if they had been handed out and had failed."""
    available = (
        "statement_timestamp() + interval '1 hour'" if not past_due else "statement_timestamp() - interval '1 s'"
    )
    states = [("waiting", waiting), ("leased", leased), ("exhausted", exhausted)]
    partition_id = info(group).partition(0).id
    first = 1
    with connection.cursor() as cursor:
        for state, count in states:
            cursor.execute(
                f"""
                INSERT INTO consumers_delivery (group_id, partition_id, round, first_offset, last_offset, state,
                       is_alone, suspect_limit, delivery_count, failure_count, available_at, lease_token, lease_expires_at, leased_by, leased_at,
                       exhausted_reason, last_error, created_at)
                SELECT %s, %s, 0, n, n, '{state}', n %% 50 = 0, n %% 3, 2, 1,
                       CASE WHEN '{state}' = 'waiting' THEN {available} END,
                       CASE WHEN '{state}' = 'leased' THEN gen_random_uuid() END,
                       CASE WHEN '{state}' = 'leased' THEN statement_timestamp() + interval '1 hour' END, 'w', now(),
                       CASE WHEN '{state}' = 'exhausted' THEN 'terminal' ELSE '' END, 'broken', now()
                  FROM generate_series(%s, %s) AS n
                """,
                [group.pk, partition_id, first, first + count - 1],
            )
            first += count
        cursor.execute(
            "UPDATE consumers_groupoffset SET dispatched_offset = greatest(dispatched_offset, %s) WHERE group_id = %s",
            [HANDED_OUT, group.pk],
        )
        # What earlier tests left in the table and its indexes would weigh in what a plan is thought to cost.
        cursor.execute("VACUUM FULL consumers_delivery")
        cursor.execute("VACUUM ANALYZE consumers_delivery")
        cursor.execute("ANALYZE consumers_groupoffset")
        cursor.execute("VACUUM FULL ANALYZE streams_partition")


def plan_of(name, *, is_by_key=False, is_run=False, **params):
    """The plan of a statement, with its costs left out; if it is run, with how many rows each step had."""
    text = "\n".join(line for line in (SQL / f"{name}.sql").read_text().splitlines() if not line.startswith("--"))
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute("BEGIN")
        if is_by_key:
            cursor.execute((SQL / "forbid_sorting.sql").read_text())
        cursor.execute(f"EXPLAIN (COSTS OFF{', ANALYZE, TIMING OFF, BUFFERS OFF' if is_run else ''}) {text}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("ROLLBACK")
    return plan


def delivery_scans(plan):
    """How the plan reads the deliveries: each line that scans the table or one of its indexes."""
    return [
        line.strip(" ->") for line in plan.splitlines() if re.search(r"Scan.* on (consumers_delivery|delivery_)", line)
    ]
