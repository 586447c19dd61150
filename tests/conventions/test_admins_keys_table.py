"""What the keys of an admin may do: every route of the API again, beside the table of all others.

A route that is not in the table fails `test_every_route_is_in_the_table`: add its line. The cast:

narrow     a key as the first start makes it: `produce` and `consume`, limited to another stream
plain      all scopes but `admin`: no more than a producer's and a consumer's
root       all scopes: what the admin may, but for what takes a person
"""

import pytest

from accounts.roles import Right, Scope
from tests.client import ApiClient
from tests.conventions.routes import api_routes
from tests.conventions.test_permission_table import OPEN, ROWS, Cast, template_of
from tests.factories import make_key

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

ACTORS = ["narrow", "plain", "root"]
TABLE = """
nar pla roo
200 200 200  GET /auth/me
403 403 403  GET /auth/sessions
403 403 403  DELETE /auth/sessions
403 403 403  DELETE /auth/sessions/{session}
403 403 403  POST /auth/password
200 200 200  GET /audit-log
200 200 200  GET /api-keys
403 403 403  POST /api-keys
403 403 403  POST /api-keys/{key}/rotate
403 403 403  DELETE /api-keys/{key}
200 200 200  GET /teams
403 403 201  POST /teams
404 404 200  GET /teams/{team}
403 403 200  PATCH /teams/{team}
403 403 204  DELETE /teams/{team}
403 403 204  PUT /teams/{team}/members/{friend}
403 403 204  DELETE /teams/{team}/members/{friend}
200 200 200  GET /producers
200 200 200  GET /streams
403 201 201  POST /streams
404 200 200  GET /streams/{stream}
403 403 200  PATCH /streams/{stream}
403 403 204  DELETE /streams/{stream}
403 403 200  GET /streams/{stream}/grants
403 403 201  POST /streams/{stream}/grants
403 403 204  DELETE /streams/{stream}/grants/{grant}
403 403 200  GET /streams/{stream}/mirrors
403 403 422  POST /streams/{stream}/mirrors
403 403 200  GET /streams/{stream}/mirrors/{mirror}
403 403 200  PATCH /streams/{stream}/mirrors/{mirror}
403 403 200  DELETE /streams/{stream}/mirrors/{mirror}
403 403 200  GET /streams/{stream}/moves
403 403 200  POST /streams/{stream}/moves
403 403 200  GET /streams/{stream}/moves/{move}
403 403 200  DELETE /streams/{stream}/moves/{move}
404 200 200  GET /streams/{stream}/schemas
403 403 201  POST /streams/{stream}/schemas
404 200 200  GET /streams/{stream}/schemas/event/latest
404 200 200  POST /streams/{stream}/schemas/check
404 200 200  POST /streams/{stream}/schemas/infer
404 200 200  GET /streams/{stream}/stats
404 403 202  POST /events
404 403 202  POST /streams/{stream}/events
404 200 200  GET /streams/{stream}/events
404 200 200  GET /streams/{stream}/events/live
404 200 200  GET /streams/{stream}/events/0/1
403 403 200  POST /streams/{stream}/events/0/1/erase
200 200 200  GET /consumer-groups
404 200 200  GET /streams/{stream}/consumer-groups
404 201 201  POST /streams/{stream}/consumer-groups
404 200 200  GET /streams/{stream}/consumer-groups/{group}
404 403 200  PATCH /streams/{stream}/consumer-groups/{group}
404 403 204  DELETE /streams/{stream}/consumer-groups/{group}
404 403 200  GET /streams/{stream}/consumer-groups/{group}/grants
404 403 201  POST /streams/{stream}/consumer-groups/{group}/grants
404 403 204  DELETE /streams/{stream}/consumer-groups/{group}/grants/{group_grant}
404 200 200  GET /streams/{stream}/consumer-groups/{group}/offsets
404 200 200  GET /streams/{stream}/consumer-groups/{group}/stats
404 403 200  POST /streams/{stream}/consumer-groups/{group}/offsets
404 403 200  POST /streams/{stream}/consumer-groups/{group}/seek
404 403 200  POST /streams/{stream}/consumer-groups/{group}/acknowledge-loss
404 403 201  POST /streams/{stream}/consumer-groups/{group}/dead-letters
404 403 200  POST /streams/{stream}/consumer-groups/{leasing}/lease
404 403 409  POST /streams/{stream}/consumer-groups/{leasing}/ack
404 403 409  POST /streams/{stream}/consumer-groups/{leasing}/nack
404 403 409  POST /streams/{stream}/consumer-groups/{leasing}/extend
404 403 409  POST /streams/{stream}/consumer-groups/{leasing}/release
404 200 200  GET /streams/{stream}/consumer-groups/{leasing}/deliveries
404 200 200  GET /streams/{stream}/consumer-groups/{leasing}/held-keys
404 403 200  POST /streams/{stream}/consumer-groups/{leasing}/deliveries/{delivery}/retry-now
404 403 409  POST /streams/{stream}/consumer-groups/{leasing}/deliveries/{delivery}/release
404 200 200  GET /streams/{stream}/events/0/1/timeline
200 200 200  GET /dead-letters
404 200 200  GET /dead-letters/{letter}
404 403 202  POST /dead-letters/{letter}/redrive
404 403 200  POST /dead-letters/{letter}/discard
404 403 200  POST /dead-letters/{letter}/resolve
200 403 200  POST /dead-letters/redrive
200 403 200  POST /dead-letters/discard
200 200 200  GET /dead-letters/bulk-actions
404 404 200  GET /dead-letters/bulk-actions/{bulk}
404 404 409  POST /dead-letters/bulk-actions/{bulk}/cancel
403 403 403  GET /alerts
403 403 403  GET /alert-rules
403 403 403  POST /alert-rules
403 403 403  GET /alert-rules/{rule}
403 403 403  PATCH /alert-rules/{rule}
403 403 403  DELETE /alert-rules/{rule}
403 403 403  POST /alert-rules/{rule}/test
403 403 403  GET /alert-channels
403 403 403  POST /alert-channels
403 403 403  GET /alert-channels/{channel}
403 403 403  PATCH /alert-channels/{channel}
403 403 403  DELETE /alert-channels/{channel}
403 403 403  POST /alert-channels/{channel}/test
"""
EXPECTED = {
    template_of(line[len("nar pla roo") :].strip()): dict(zip(ACTORS, line.split()[:3], strict=True))
    for line in TABLE.strip().splitlines()[1:]
}


@pytest.fixture(scope="module")
def cast(db_with_commits_for_all) -> Cast:
    """With the admin's keys in it."""
    cast = Cast()
    admin = cast.users["admin"]
    cast.clients |= {
        "narrow": ApiClient(key=make_key(admin, Right.PRODUCE, Right.CONSUME, streams=["another"])),
        "plain": ApiClient(key=make_key(admin, *(set(Scope) - {Scope.ADMIN}))),
        "root": ApiClient(key=make_key(admin, *Scope)),
    }
    return cast


def test_every_route_is_in_the_table():
    assert set(api_routes()) - OPEN == set(EXPECTED)


@pytest.mark.parametrize("route", EXPECTED, ids=" ".join)
def test_each_route_answers_each_key_as_the_table_says(cast, route):
    line, body, _ = ROWS[route]
    expected = EXPECTED[route]
    answers = {actor: cast.ask(actor, line, body, is_refused=expected[actor] >= "400") for actor in ACTORS}
    assert {actor: str(answer.status_code) for actor, answer in answers.items()} == expected
