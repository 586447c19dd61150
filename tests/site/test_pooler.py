"""Behind PgBouncer in transaction mode: with DATABASE_POOLER everything works, without it the start says what to set."""

import concurrent.futures
import os
import subprocess
import sys
import time
import urllib.request

import orjson
import psycopg
import pytest
from django.db import connection

from accounts.roles import Role
from eventflow_site import pooler
from eventflow_site.embedded.errors import CannotStart
from eventflow_site.migration_turn import migration_turn
from eventflow_site.supervisor.servers import check_postgres
from streams.connections import shares_sessions
from tests.factories import make_group, make_key, make_owner, make_stream, make_user
from tests.pgbouncer import SESSIONS, pgbouncer_before_database
from tests.web_server import WebServer, test_database_url

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

NAMED = "DATABASE_POOLER=transaction"


@pytest.fixture
def pooled_url(tmp_path):
    with pgbouncer_before_database(tmp_path, "ignore_startup_parameters = options") as url:
        yield url


@pytest.fixture
def strict_url(tmp_path):
    """One that takes no settings of a session, as it is without being told otherwise."""
    with pgbouncer_before_database(tmp_path) as url:
        yield url


def opener(url):
    return lambda: psycopg.connect(url, autocommit=True)


class Api:
    """One key over HTTP, against a server of its own."""

    def __init__(self, web: WebServer, key: str) -> None:
        self.web, self.key = web, key

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, object]:
        content = None if body is None else orjson.dumps(body)
        sent = {"X-API-Key": self.key, "Content-Type": "application/json"} | headers
        request = urllib.request.Request(f"{self.web.url}{path}", content, sent)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return answer.status, orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, orjson.loads(error.read())


def test_a_pooler_that_shares_sessions_is_told_from_postgresql_and_from_one_that_does_not(pooled_url, tmp_path):
    assert shares_sessions(opener(pooled_url))
    assert not shares_sessions(opener(test_database_url()))
    (tmp_path / "other").mkdir()
    with pgbouncer_before_database(tmp_path / "other", "pool_mode = session") as url:
        assert not shares_sessions(opener(url))


@pytest.mark.slow("starts a web server, and asks it for seconds")
def test_everything_works_through_it(strict_url):
    owner = make_owner()
    stream = make_stream("orders", owner=owner, partitions=4)
    make_group(stream, "readers", owner=owner)
    key = make_key(owner)
    settings = {
        "DATABASE_URL": strict_url,
        "DATABASE_POOLER": "transaction",
        "DATABASE_DIRECT_URL": test_database_url(),
    }
    with WebServer(**settings) as web:
        api = Api(web, key)
        waiting = concurrent.futures.ThreadPoolExecutor(16)
        answers = waiting.map(
            lambda n: api.ask(
                "/api/v1/events",
                {"stream": "orders", "key": f"k{n}", "payload": n},
                **({"Idempotency-Key": f"once-{n}"} if n % 2 else {}),
            )[0],
            range(200),
        )
        reads = waiting.map(
            lambda n: api.ask(
                f"/api/v1/streams/orders/events?partition={n % 4}&last_offset=0&limit=1000"
                + ("&consumer_group_id=readers" if n % 3 else "")
            )[0],
            range(200),
        )
        stats = waiting.map(lambda _: api.ask("/api/v1/streams/orders/stats")[0], range(40))
        assert {*answers} == {202}
        assert {*reads} == {200}
        assert {*stats} == {200}
        # Woken by another connection's NOTIFY, long before its deadline.
        head = api.ask("/api/v1/streams/orders/consumer-groups/readers/offsets")[1]["data"][0]["head_offset"]
        poll = waiting.submit(api.ask, f"/api/v1/streams/orders/events?partition=0&last_offset={head}&wait=20")
        time.sleep(0.5)
        started = time.monotonic()
        for n in range(12):
            assert api.ask("/api/v1/events", {"stream": "orders", "key": f"w{n}", "payload": n})[0] == 202
        assert poll.result()[1]
        assert time.monotonic() - started < 10
        committed = api.ask(
            "/api/v1/streams/orders/consumer-groups/readers/offsets", {"offsets": [{"partition": 0, "offset": head}]}
        )
        assert committed[0] == 200, committed
        waiting.shutdown()
        # The database of the tests is never durable, which is all that is wrong with it.
        ready = api.ask("/readyz")[1]
        assert not [reason for reason in ready["reasons"] if "not durable" not in reason]
        assert "Traceback" not in web.log
        assert "prepared statement" not in web.log
    with psycopg.connect(test_database_url()) as direct:
        names = {row[0] for row in direct.execute("SELECT application_name FROM pg_stat_activity")}
    assert SESSIONS < 16 and "pulse" not in names


def test_rows_that_come_in_parts_come_whatever_sessions_they_meet(pooled_url):
    make_owner()
    make_user(Role.CONSUMER)
    code = (
        "import django; django.setup(); from django.db import connection; from accounts.models import User\n"
        "rows = User.objects.iterator(chunk_size=1); next(rows)\n"
        # Somebody else has the session that was ours a moment ago.
        "other = connection.copy(); other.set_autocommit(False); other.cursor().execute('SELECT 1')\n"
        "print(1 + len(list(rows)))"
    )
    env = {
        **os.environ,
        "DATABASE_URL": pooled_url,
        "DATABASE_POOLER": "transaction",
        "DATABASE_DIRECT_URL": test_database_url(),
        "DATABASE_POOL_SIZE": "0",
        "DJANGO_SETTINGS_MODULE": "eventflow_site.settings",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr


@pytest.mark.slow("starts a web server")
def test_without_the_setting_no_append_is_stored_and_readyz_names_it(pooled_url):
    owner = make_owner()
    make_stream("orders", owner=owner)
    with WebServer(DATABASE_URL=pooled_url) as web:
        api = Api(web, make_key(owner))
        reasons = api.ask("/readyz")[1]["reasons"]
        assert [reason for reason in reasons if NAMED in reason], reasons
        status, problem = api.ask("/api/v1/events", {"stream": "orders", "payload": 1})
        assert (status, problem["code"]) == (503, "not_stored")


def test_a_pooler_that_takes_no_options_is_named_too(strict_url):
    with WebServer(DATABASE_URL=strict_url) as web:
        reasons = Api(web, "none").ask("/readyz")[1]["reasons"]
    assert [reason for reason in reasons if NAMED in reason], reasons


def test_up_names_it_before_it_starts(pooled_url):
    with pytest.raises(CannotStart, match="DATABASE_URL leads to a pooler"):
        check_postgres(pooled_url)
    with pytest.raises(CannotStart, match="DATABASE_DIRECT_URL leads to a pooler"):
        check_postgres(pooled_url, pooled_url)
    check_postgres(pooled_url, test_database_url())
    check_postgres(test_database_url())


def test_a_migration_goes_past_it_and_does_not_begin_without(pooled_url):
    def migrate(**more):
        env = {**os.environ, "DATABASE_URL": pooled_url, "DATABASE_POOL_SIZE": "0", **more}
        return subprocess.run(
            [sys.executable, "manage.py", "migrate"], env=env, capture_output=True, text=True, check=False
        )

    refused = migrate()
    assert refused.returncode != 0
    assert pooler.NOT_SET in refused.stderr
    done = migrate(DATABASE_POOLER="transaction", DATABASE_DIRECT_URL=test_database_url())
    assert done.returncode == 0, done.stderr
    # The role of the tests has none of the time-outs.
    assert "ALTER ROLE" in done.stderr
    assert "statement_timeout = '30s'" in done.stderr


def test_a_turn_to_migrate_is_kept_when_a_command_within_it_goes_past_the_pooler_too(settings):
    mine = connection.copy()
    # As in settings.py: the direct way has no pool, which would keep a session and its locks.
    options = {name: value for name, value in mine.settings_dict["OPTIONS"].items() if name != "pool"}
    settings.DATABASE_DIRECT = {"OPTIONS": options, "CONN_MAX_AGE": 0}
    try:
        pooler.go_past_pooler(mine)
        with migration_turn(mine, say=print):
            pooler.go_past_pooler(mine)
            with mine.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
                assert cursor.fetchone() == (1,)
    finally:
        mine.close()


@pytest.mark.parametrize(
    "given", [{"DATABASE_POOLER": "transaction"}, {"DATABASE_DIRECT_URL": "postgresql://db/eventflow"}], ids=str
)
def test_one_setting_without_the_other_stops_the_start(given):
    env = {**os.environ, "DATABASE_POOLER": "", "DATABASE_DIRECT_URL": "", **given}
    done = subprocess.run([sys.executable, "manage.py", "check"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "belong together" in done.stderr


@pytest.mark.slow("waits until a pool gives up")
def test_a_pool_without_connections_says_what_the_last_one_was_told(monkeypatch):
    code = (
        "import django; django.setup(); from django.db import connection\n"
        "try: connection.ensure_connection()\n"
        "except Exception as error: print(error)"
    )
    env = {
        **os.environ,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "DATABASE_POOL_SIZE": "2",
        "DJANGO_SETTINGS_MODULE": "eventflow_site.settings",
    }
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert "refused" in said
    assert "couldn't get a connection" not in said
