"""The runner of SQL files: what goes over the wire, what comes back, and who is told."""

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import DataError

from accounts.statements import read_statements
from streams.connections import connect

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def statements(tmp_path):
    files = {
        "count_up": "-- Numbers.\n--\n-- 100 % of them.\nSELECT n, %(tag)s::text\n  -- in order\n  FROM generate_series(1, %(last)s::int) AS n;\n",
        "say_nothing": "-- Nothing.\nSET LOCAL lock_timeout = '1s';\n",
        "take_bytes": "SELECT %(records)b::bytea;",
        "divide": "SELECT 1 / %(by)s::int;",
        "prepared": "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT n, %%';",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.sql").write_text(text)
    return read_statements(tmp_path)


def test_rows_come_back_as_tuples_and_none_from_what_returns_nothing(statements):
    assert statements.rows("count_up", tag="a", last=2) == [(1, "a"), (2, "a")]
    assert statements.rows("count_up", tag="a", last=0) == []
    with transaction.atomic():
        assert statements.rows("say_nothing") == []


def test_bytes_travel_both_ways_as_they_are(statements):
    records = bytes(range(256))
    assert statements.rows("take_bytes", records=records) == [(records,)]
    with connect("test") as own:
        assert statements.on(own).rows("take_bytes", records=records) == [(records,)]


def test_comments_indentation_and_parameters_stay_out_of_the_text(statements, django_assert_num_queries):
    seen = []

    def look(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    connection.ensure_connection()
    with connection.execute_wrapper(look), django_assert_num_queries(1):
        statements.rows("count_up", tag="secret", last=1)
    assert seen == [b"SELECT n, %(tag)s::text\nFROM generate_series(1, %(last)s::int) AS n"]


def test_errors_are_djangos_on_its_connection_and_psycopgs_elsewhere(statements):
    with pytest.raises(DataError):
        statements.rows("divide", by=0)
    with connect("test") as own, pytest.raises(psycopg.DataError):
        statements.on(own).rows("divide", by=0)


def test_nothing_runs_in_a_transaction_that_is_to_be_rolled_back(statements):
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            statements.rows("divide", by=1)


def test_a_connection_of_ones_own_prepares_at_the_first_run(statements):
    with connect("test") as own:
        own_statements = statements.on(own)
        own_statements.rows("count_up", tag="a", last=1)
        assert own_statements.rows("prepared") == [(1,)]
