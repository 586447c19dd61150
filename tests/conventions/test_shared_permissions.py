"""Who may do what where a stream and its groups are shared: every route that names a stream, a group or a dead letter.

The stream is restricted, and the groups were made by its owner. The cast, all of them without any part in it but this:

colleague  member of the team that owns the stream and its groups
deputy     was granted `produce`, `consume` and `manage` on the stream
reader     is in a team that was granted `consume` on it
sender     was granted `produce` on it
user       was granted `consume` on it, and to use its groups
keeper     was granted `consume` on it, and to manage its groups
weak       like `keeper`, with a key whose only scope is `produce`
lost       was granted to use and manage its groups, but nothing on the stream any more

A route that is not in the table fails `test_every_route_on_a_stream_is_in_the_table`.
"""

from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Right, Role
from consumers.queries import forget_groups
from streams.lookup import forget_streams
from streams.models import Stream, Visibility
from tests.client import ApiClient
from tests.conventions.test_permission_table import ROWS, Cast, template_of
from tests.factories import make_key, make_team, make_token, make_user

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

ACTORS = ["colleague", "deputy", "reader", "sender", "user", "keeper", "weak", "lost"]
GROUP = "/streams/{stream}/consumer-groups/{group}"
LEASING = "/streams/{stream}/consumer-groups/{leasing}"
TABLE = {
    #                                               col dep rea sen use kee wea los
    "GET /streams/{stream}": "                      200 200 200 200 200 200 404 404",
    "PATCH /streams/{stream}": "                    200 200 403 403 403 403 403 404",
    "DELETE /streams/{stream}?confirm={stream}": "  204 204 403 403 403 403 403 404",
    "GET /streams/{stream}/grants": "               200 200 403 403 403 403 403 404",
    # To somebody who has a grant already, which is replaced.
    "POST /streams/{stream}/grants": "              200 200 403 403 403 403 403 404",
    "DELETE /streams/{stream}/grants/{grant}": "    204 204 403 403 403 403 403 404",
    "GET /streams/{stream}/mirrors": "              200 200 403 403 403 403 403 404",
    "POST /streams/{stream}/mirrors": "             422 422 403 403 403 403 403 404",
    "GET /streams/{stream}/mirrors/{mirror}": "     200 200 403 403 403 403 403 404",
    "PATCH /streams/{stream}/mirrors/{mirror}": "   200 200 403 403 403 403 403 404",
    "DELETE /streams/{stream}/mirrors/{mirror}": "  200 200 403 403 403 403 403 404",
    "GET /streams/{stream}/moves": "                200 200 403 403 403 403 403 404",
    "POST /streams/{stream}/moves": "               200 200 403 403 403 403 403 404",
    "GET /streams/{stream}/moves/{move}": "         200 200 403 403 403 403 403 404",
    "DELETE /streams/{stream}/moves/{move}": "      200 200 403 403 403 403 403 404",
    "GET /streams/{stream}/schemas": "              200 200 200 200 200 200 404 404",
    "POST /streams/{stream}/schemas": "             201 201 403 403 403 403 403 404",
    "GET /streams/{stream}/schemas/event/latest": " 200 200 200 200 200 200 404 404",
    "POST /streams/{stream}/schemas/check": "       200 200 200 403 200 200 403 404",
    "POST /streams/{stream}/schemas/infer": "       200 200 200 403 200 200 403 404",
    "GET /streams/{stream}/stats": "                200 200 200 200 200 200 404 404",
    "POST /events": "                               202 202 403 202 403 403 404 404",
    "POST /streams/{stream}/events": "              202 202 403 202 403 403 404 404",
    "GET /streams/{stream}/events": "               200 200 200 403 200 200 403 404",
    "GET /streams/{stream}/events/live": "          200 200 200 403 200 200 403 404",
    "GET /streams/{stream}/events/0/1": "           200 200 200 403 200 200 403 404",
    "GET /streams/{stream}/events/0/1/timeline": "  200 200 200 403 200 200 403 404",
    "POST /streams/{stream}/events/0/1/erase": "    200 200 403 403 403 403 403 404",
    "GET /streams/{stream}/consumer-groups": "      200 200 200 403 200 200 403 404",
    "POST /streams/{stream}/consumer-groups": "     201 201 201 403 201 201 403 404",
    f"GET {GROUP}": "                               200 200 200 403 200 200 403 404",
    f"PATCH {GROUP}": "                             200 200 403 403 403 200 403 404",
    f"DELETE {GROUP}?confirm={{group}}": "            204 204 403 403 403 204 403 404",
    f"GET {GROUP}/grants": "                        200 200 403 403 403 200 403 404",
    f"POST {GROUP}/grants": "                       201 201 403 403 403 201 403 404",
    f"DELETE {GROUP}/grants/{{group_grant}}": "     204 204 403 403 403 204 403 404",
    f"GET {GROUP}/offsets": "                       200 200 200 403 200 200 403 404",
    f"GET {GROUP}/stats": "                         200 200 200 403 200 200 403 404",
    f"POST {GROUP}/offsets": "                      200 200 403 403 200 403 403 404",
    f"POST {GROUP}/seek": "                         200 200 403 403 403 200 403 404",
    f"POST {GROUP}/acknowledge-loss": "             200 200 403 403 403 200 403 404",
    f"POST {GROUP}/dead-letters": "                 201 201 403 403 201 403 403 404",
    f"POST {LEASING}/lease": "                      200 200 403 403 200 403 403 404",
    f"POST {LEASING}/ack": "                        409 409 403 403 409 403 403 404",
    f"POST {LEASING}/nack": "                       409 409 403 403 409 403 403 404",
    f"POST {LEASING}/extend": "                     409 409 403 403 409 403 403 404",
    f"POST {LEASING}/release": "                    409 409 403 403 409 403 403 404",
    f"GET {LEASING}/held-keys": "                   200 200 200 403 200 200 403 404",
    f"GET {LEASING}/deliveries": "                  200 200 200 403 200 200 403 404",
    f"POST {LEASING}/deliveries/{{delivery}}/retry-now": "200 200 403 403 403 200 403 404",
    f"POST {LEASING}/deliveries/{{delivery}}/release": "  409 409 403 403 403 409 403 404",
    "GET /dead-letters/{letter}": "                 200 200 200 404 200 200 403 404",
    "POST /dead-letters/{letter}/redrive": "        202 202 403 404 403 202 403 404",
    "POST /dead-letters/{letter}/discard": "        200 200 403 404 403 200 403 404",
    "POST /dead-letters/{letter}/resolve": "        200 200 403 404 403 200 403 404",
    "POST /dead-letters/redrive": "                 200 200 403 200 403 200 403 200",
    "POST /dead-letters/discard": "                 200 200 403 200 403 200 403 200",
}
STATUSES = {template_of(line): (line, dict(zip(ACTORS, row.split(), strict=True))) for line, row in TABLE.items()}
# What the dead letters' bulk verbs find nothing of is no secret: they take nothing.
NAMED = ("{stream}", "{dead_letter_id}", "/dead-letters/redrive", "/dead-letters/discard", "POST /events")


class SharedCast(Cast):
    """The same objects, shared with those above."""

    def __init__(self) -> None:
        super().__init__()
        self.sharers = {
            name: make_user(*([Role.PRODUCER] if name == "sender" else [Role.PRODUCER, Role.CONSUMER]))
            for name in ACTORS
            if name != "weak"
        }

    def _client(self, actor: str) -> ApiClient:
        if actor == "weak":
            return ApiClient(key=make_key(self.sharers["keeper"], Right.PRODUCE))
        return ApiClient(token=make_token(self.sharers[actor])) if actor in self.sharers else super()._client(actor)

    def make_on_stream(self, name: str, visibility: str) -> dict[str, str]:
        objects = super().make_on_stream(name, visibility)
        stream = Stream.objects.get(name=objects["stream"])
        owners = make_team(None, self.sharers["colleague"])
        Stream.objects.filter(pk=stream.pk).update(visibility=Visibility.RESTRICTED, owner=None, owner_team=owners)
        self._grant(stream, "deputy", *Right)
        self._grant(stream, "sender", Right.PRODUCE)
        for name in ("user", "keeper"):
            self._grant(stream, name, Right.CONSUME)
        stream.grants.create(team=make_team(None, self.sharers["reader"]), rights=[Right.CONSUME])
        stream.grants.create(user=self.users["friend"], rights=[Right.CONSUME])
        for group in stream.consumer_groups.all():
            group.owner, group.owner_team = None, owners
            group.save()
            self._grant(group, "user", "use")
            self._grant(group, "keeper", "manage")
            self._grant(group, "lost", "manage", "use")
        forget_streams()
        forget_groups()
        return objects

    def _grant(self, thing: Any, name: str, *rights: str) -> None:
        user: User = self.sharers[name]
        thing.grants.create(user=user, rights=[str(right) for right in rights])


def test_every_route_on_a_stream_is_in_the_table():
    on_a_stream = {row for row in ROWS if any(name in " ".join(row) for name in NAMED)}
    assert set(STATUSES) == on_a_stream


@pytest.fixture(scope="module")
def cast(db_with_commits_for_all) -> SharedCast:
    return SharedCast()


@pytest.mark.parametrize("row", STATUSES, ids=" ".join)
def test_each_route_answers_those_who_share_as_the_table_says(cast, row):
    line, expected = STATUSES[row]
    _, body, _ = ROWS[row]
    answers = {actor: cast.ask(actor, line, body, is_refused=expected[actor] >= "400") for actor in ACTORS}
    assert {actor: str(answer.status_code) for actor, answer in answers.items()} == expected
