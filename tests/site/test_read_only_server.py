"""A server that takes no writes, as a standby or one under maintenance: refused in words, and left for a better one."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.client import ApiClient
from tests.connection_pool import close_pool
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.appending import append
from tests.threads import Work
from tests.web_server import test_database_url

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def let_it_write() -> Iterator[Callable[[], None]]:
    """New sessions may only read, until this is called; so may those that began meanwhile, for as long as they last."""
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    close_pool()
    with psycopg.connect(test_database_url(), autocommit=True) as own:

        def let_write() -> None:
            own.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")

        own.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        yield let_write
        let_write()
    close_pool()


@pytest.fixture
def post() -> Callable[[], Any]:
    """Commit an offset, as a thread of a web server does: on a connection of the pool, given back in the end."""
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    group = make_group(stream)
    append(stream, "event")
    api = ApiClient(key=make_key(owner))
    path = f"/streams/orders/consumer-groups/{group.name}/offsets"
    return lambda: Work(lambda: api.post(path, {"offset": 1})).result()


def test_what_cannot_be_written_is_refused_as_by_a_database_that_is_away(post, let_it_write):
    answer = post()
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["EventFlow-Stored"] == "no"
    assert answer.headers["Retry-After"] == "1"


def test_once_it_takes_writes_again_a_session_of_before_is_met_once_at_most(post, let_it_write, settings):
    assert post().status_code == 503
    let_it_write()
    statuses = [post().status_code for _ in range(settings.DATABASE_POOL_SIZE + 3)]
    assert set(statuses) <= {503, 200}
    assert statuses[-3:] == [200, 200, 200]
