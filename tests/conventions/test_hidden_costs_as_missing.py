"""A stream that is hidden asks of the database what a missing one asks, so that the time of a refusal tells nothing.

Remembered by the process or not: in the answers to those who may see it, a stream is remembered for a second.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from streams.lookup import forget_streams
from tests.client import ApiClient
from tests.conventions.test_foreign_is_missing import WITH_AN_ID
from tests.conventions.test_permission_table import BULK, NEW_KEY, ROWS, Cast
from tests.factories import make_dead_letter, make_group, make_stream, make_token, make_user
from tests.observability.dashboard.test_access import addresses

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

HIDDEN, MISSING = "foreign-1", "missing-1"
# Dead letters, in numbers that stand for nothing else in a statement.
HIDDEN_LETTER, MISSING_LETTER = "888888888888", "999999999999"
# Named in a body or a query.
NAMING = [
    ("POST /dead-letters/redrive", BULK),
    ("POST /dead-letters/discard", BULK),
    ("GET /dead-letters?stream={stream}", None),
    ("GET /audit-log?stream={stream}", None),
    ("POST /api-keys", NEW_KEY | {"streams": ["{stream}"]}),
]
TAKES_A_STREAM = [ROWS[row][:2] for row in WITH_AN_ID if "{bulk}" not in ROWS[row][0]] + NAMING


@pytest.fixture(scope="module")
def cast(db_with_commits_for_all) -> Cast:
    """Nobody is let in, so that all tests find the same."""
    cast = Cast()
    cast.clients["all-roles"] = ApiClient(token=make_token(make_user(Role.PRODUCER, Role.CONSUMER)))
    stream = make_stream(HIDDEN, owner=cast.users["owner"], visibility="restricted")
    make_group(stream, "billing")
    make_dead_letter(make_group(stream, "shipping", mode="lease"), pk=int(HIDDEN_LETTER))
    return cast


def statements_of(ask: Callable[[], Any]) -> tuple[int, list[str]]:
    """The answer's status, and what was asked about streams and groups for it, with one word for either name."""
    with CaptureQueriesContext(connection) as captured:
        status = ask().status_code
    asked = [query["sql"] for query in captured if "streams_" in query["sql"] or "consumers_" in query["sql"]]
    for name in (HIDDEN, MISSING, HIDDEN_LETTER, MISSING_LETTER):
        asked = [statement.replace(name, "…") for statement in asked]
    return status, asked


def assert_costs_the_same(cast: Cast, ask: Callable[[dict[str, str]], Any], hidden: dict[str, str]) -> None:
    missing = hidden | {"stream": MISSING, "letter": MISSING_LETTER}

    def cost(names: dict[str, str], *, warm: bool) -> tuple[int, list[str]]:
        forget_streams()
        if warm:
            assert cast.clients["owner"].get(f"/streams/{HIDDEN}/events").status_code == 200
        return statements_of(lambda: ask(names))

    # Once before: who asks is looked up then, and remembered.
    cost(missing, warm=False)
    cold = cost(hidden, warm=False)
    assert cold == cost(missing, warm=False), "not remembered"
    assert cost(hidden, warm=True) == cost(missing, warm=True) == cold, "remembered"


@pytest.mark.parametrize(("line", "body"), TAKES_A_STREAM, ids=[line for line, _ in TAKES_A_STREAM])
def test_over_the_api(cast, line, body):
    method, path = line.split(" ", 1)
    names = {"stream": HIDDEN, "group": "billing", "leasing": "shipping", "new": "new-one", "key": "0" * 12}
    names["letter"] = HIDDEN_LETTER
    names |= {"rule": "1", "channel": "1"}
    for asker in ("strange", "other", "all-roles"):
        assert_costs_the_same(cast, lambda names, asker=asker: cast.send(asker, method, path, body, names), names)


@pytest.mark.parametrize("address", [each for each in addresses() if "orders" in each])
@pytest.mark.parametrize("method", ["get", "post"])
def test_on_a_page(cast, address, method):
    client = Client()
    client.force_login(make_user(Role.PRODUCER, Role.CONSUMER), "django.contrib.auth.backends.ModelBackend")

    def ask(names: dict[str, str]) -> Any:
        return getattr(client, method)(address.replace("orders", names["stream"]))

    assert_costs_the_same(cast, ask, {"stream": HIDDEN})
