"""Who may do what: every route of the API, asked by everybody, with the answer that each must get.

A route that is not in the table fails `test_every_route_is_in_the_table`: add its row. The cast:

admin      the admin role
owner      owns the stream (roles producer and consumer)
maker      made the groups: the consumer role, and the stream is internal
worker     the maker's key with the scope `consume` only
mate       another reader of the stream: the consumer role, and neither stream nor groups are theirs
hidden     the same reader, but the stream is restricted: it does not exist for them
strange    a producer who has nothing to do with the stream
nobody     a user without any role
produce    the stream owner's key with that scope only; `consume` and `manage` likewise
other      the owner's key, with all scopes, limited to another stream
anon       no credentials
"""

import contextlib
import functools
import itertools
import re
from collections import ChainMap
from collections.abc import Callable, MutableMapping
from typing import Any

import jwt
import pytest

from accounts.roles import Right, Role
from accounts.services.api_keys import create_api_key
from consumers.models import ConsumerGroup
from consumers.services.leasing import release_deliveries
from tests.client import ApiClient
from tests.consumers.leases import lease_one, refs
from tests.conventions.routes import api_routes
from tests.factories import (
    make_bulk_action,
    make_dead_letter,
    make_group,
    make_key,
    make_stream,
    make_team,
    make_token,
    make_user,
)
from tests.observability.alerts.rules import make_channel, make_rule

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

ACTORS = [
    "admin",
    "owner",
    "maker",
    "worker",
    "mate",
    "hidden",
    "strange",
    "nobody",
    "produce",
    "consume",
    "manage",
    "other",
    "anon",
]
EVENT = {"stream": "{stream}", "payload": 1}
GROUP = "/streams/{stream}/consumer-groups/{group}"
LEASING = "/streams/{stream}/consumer-groups/{leasing}"
# A lease that nobody has.
LEASES = {"deliveries": [{"delivery_id": 1, "lease_token": "01a2058e-b606-7094-8c31-55e4ce2d8688"}]}
NEW = {"name": "{new}"}
NEW_KEY = {"name": "n", "scopes": ["consume"]}
# Nobody in the cast has a password: whoever gets so far is told that it is another one.
NEW_PASSWORD = {"current_password": "a guess", "new_password": "a long new password"}
CHANGED = {"description": "d"}
SCHEMA = {"type": "order.created", "schema": True}
OF_TYPE = {"type": "event"}
# With its rights in order it is told that there is no such engine.
MIRROR = {"engine": "nowhere"}
PAUSE = {"paused": True}
MOVE = {"to": "postgres", "dry_run": True}
GRANT = {"user": "friend@example.com", "rights": ["consume"]}
USE = {"user": "friend@example.com", "rights": ["use"]}
WHY = {"reason": "asked for"}
SEEN = {"lost_total": 0}
BULK = {"filter": {"stream": "{stream}"}, "dry_run": True}
# `#` stands before a number: of a channel of the actor's own.
RULE = {"what": "lag", "stream": "{stream}", "group": "{group}", "threshold": 1, "channels": ["#{own}"]}
CHANNEL = {"kind": "webhook", "name": "n", "url": "https://receiver.example/"}

# Method and route, a valid body, and the status for each actor in the order of ACTORS.
TABLE: list[tuple[str, Any, str]] = [
    #                                                     adm own mak wor mat hid str nob pro con man oth ano
    ("GET /auth/me", None, "                              200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("GET /audit-log", None, "                            200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("GET /auth/sessions", None, "                        200 200 200 403 200 200 200 200 403 403 403 403 401"),
    ("DELETE /auth/sessions", None, "                     200 200 200 403 200 200 200 200 403 403 403 403 401"),
    # The session is the stream owner's.
    ("DELETE /auth/sessions/{session}", None, "           404 204 404 403 404 404 404 404 403 403 403 403 401"),
    ("POST /auth/password", NEW_PASSWORD, "               422 422 422 403 422 422 422 422 403 403 403 403 401"),
    ("GET /api-keys", None, "                             200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("POST /api-keys", NEW_KEY, "                         201 201 201 403 201 201 201 422 403 403 403 403 401"),
    ("POST /api-keys/{key}/rotate", {}, "                 201 201 404 403 404 404 404 404 403 403 403 403 401"),
    ("DELETE /api-keys/{key}", None, "                    204 204 404 403 404 404 404 404 403 403 403 403 401"),
    ("GET /teams", None, "                                200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("POST /teams", NEW, "                                201 403 403 403 403 403 403 403 403 403 403 403 401"),
    ("GET /teams/{team}", None, "                         200 404 404 404 404 404 404 404 404 404 404 404 401"),
    ("PATCH /teams/{team}", CHANGED, "                    200 403 403 403 403 403 403 403 403 403 403 403 401"),
    ("DELETE /teams/{team}", None, "                      204 403 403 403 403 403 403 403 403 403 403 403 401"),
    ("PUT /teams/{team}/members/{friend}", None, "        204 403 403 403 403 403 403 403 403 403 403 403 401"),
    ("DELETE /teams/{team}/members/{friend}", None, "     204 403 403 403 403 403 403 403 403 403 403 403 401"),
    ("GET /producers", None, "                            200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("GET /streams", None, "                              200 200 200 200 200 200 200 200 200 200 200 200 401"),
    ("POST /streams", NEW, "                              201 201 403 403 403 403 201 403 403 403 201 403 401"),
    ("GET /streams/{stream}", None, "                     200 200 200 200 200 404 404 404 200 200 200 404 401"),
    ("PATCH /streams/{stream}", CHANGED, "                200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("DELETE /streams/{stream}?confirm={stream}", None, " 204 204 403 403 403 403 404 403 403 403 204 404 401"),
    ("GET /streams/{stream}/grants", None, "              200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("POST /streams/{stream}/grants", GRANT, "            201 201 403 403 403 403 404 403 403 403 201 404 401"),
    ("DELETE /streams/{stream}/grants/{grant}", None, "   204 204 403 403 403 403 404 403 403 403 204 404 401"),
    ("GET /streams/{stream}/mirrors", None, "             200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("POST /streams/{stream}/mirrors", MIRROR, "          422 422 403 403 403 403 404 403 403 403 422 404 401"),
    ("GET /streams/{stream}/mirrors/{mirror}", None, "    200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("PATCH /streams/{stream}/mirrors/{mirror}", PAUSE, " 200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("DELETE /streams/{stream}/mirrors/{mirror}", None, " 200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("GET /streams/{stream}/moves", None, "               200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("POST /streams/{stream}/moves", MOVE, "              200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("GET /streams/{stream}/moves/{move}", None, "        200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("DELETE /streams/{stream}/moves/{move}", None, "     200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("GET /streams/{stream}/schemas", None, "             200 200 200 200 200 404 404 404 200 200 200 404 401"),
    ("POST /streams/{stream}/schemas", SCHEMA, "          201 201 403 403 403 403 404 403 403 403 201 404 401"),
    ("GET /streams/{stream}/schemas/event/latest", None, "200 200 200 200 200 404 404 404 200 200 200 404 401"),
    ("POST /streams/{stream}/schemas/check", OF_TYPE, "   200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("POST /streams/{stream}/schemas/infer", OF_TYPE, "   200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("GET /streams/{stream}/stats", None, "               200 200 200 200 200 404 404 404 200 200 200 404 401"),
    ("POST /events", EVENT, "                             202 202 403 403 403 403 404 403 202 403 403 404 401"),
    ("POST /streams/{stream}/events", {"payload": 1}, "   202 202 403 403 403 403 404 403 202 403 403 404 401"),
    ("GET /streams/{stream}/events", None, "              200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("GET /streams/{stream}/events/live", None, "         200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("GET /streams/{stream}/events/0/1", None, "          200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("POST /streams/{stream}/events/0/1/erase", WHY, "    200 200 403 403 403 403 404 403 403 403 200 404 401"),
    ("GET /consumer-groups", None, "                      200 200 200 200 200 200 200 403 403 200 403 200 401"),
    ("GET /streams/{stream}/consumer-groups", None, "     200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("POST /streams/{stream}/consumer-groups", NEW, "     201 201 201 201 201 404 404 403 403 201 403 404 401"),
    (f"GET {GROUP}", None, "                              200 200 200 200 200 404 404 403 403 200 403 404 401"),
    (f"PATCH {GROUP}", {"paused": False}, "               200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"DELETE {GROUP}?confirm={{group}}", None, "           204 204 204 204 403 404 404 403 403 403 403 404 401"),
    (f"GET {GROUP}/grants", None, "                       200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {GROUP}/grants", USE, "                       201 201 201 201 403 404 404 403 403 403 403 404 401"),
    (f"DELETE {GROUP}/grants/{{group_grant}}", None, "    204 204 204 204 403 404 404 403 403 403 403 404 401"),
    (f"GET {GROUP}/offsets", None, "                      200 200 200 200 200 404 404 403 403 200 403 404 401"),
    (f"GET {GROUP}/stats", None, "                        200 200 200 200 200 404 404 403 403 200 403 404 401"),
    (f"POST {GROUP}/offsets", {"offset": 1}, "            200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {GROUP}/seek", {"to": "latest"}, "            200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {GROUP}/acknowledge-loss", SEEN, "            200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {GROUP}/dead-letters", {"offset": 1}, "       201 201 201 201 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/lease", {}, "                       200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/ack", LEASES, "                     409 409 409 409 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/nack", LEASES, "                    409 409 409 409 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/extend", LEASES, "                  409 409 409 409 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/release", LEASES, "                 409 409 409 409 403 404 404 403 403 403 403 404 401"),
    (f"GET {LEASING}/held-keys", None, "                  200 200 200 200 200 404 404 403 403 200 403 404 401"),
    (f"GET {LEASING}/deliveries", None, "                 200 200 200 200 200 404 404 403 403 200 403 404 401"),
    # It waits: there is no lease to take from anybody.
    (f"POST {LEASING}/deliveries/{{delivery}}/retry-now", None, "200 200 200 200 403 404 404 403 403 403 403 404 401"),
    (f"POST {LEASING}/deliveries/{{delivery}}/release", {}, "  409 409 409 409 403 404 404 403 403 403 403 404 401"),
    ("GET /streams/{stream}/events/0/1/timeline", None, " 200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("GET /dead-letters", None, "                         200 200 200 200 200 200 200 403 403 200 403 200 401"),
    ("GET /dead-letters/{letter}", None, "                200 200 200 200 200 404 404 403 403 200 403 404 401"),
    ("POST /dead-letters/{letter}/redrive", {}, "         202 202 202 202 403 404 404 403 403 403 403 404 401"),
    ("POST /dead-letters/{letter}/discard", {}, "         200 200 200 200 403 404 404 403 403 403 403 404 401"),
    ("POST /dead-letters/{letter}/resolve", {}, "         200 200 200 200 403 404 404 403 403 403 403 404 401"),
    ("POST /dead-letters/redrive", BULK, "                200 200 200 200 403 200 200 403 403 403 403 200 401"),
    ("POST /dead-letters/discard", BULK, "                200 200 200 200 403 200 200 403 403 403 403 200 401"),
    ("GET /dead-letters/bulk-actions", None, "            200 200 200 200 200 200 200 403 403 200 403 200 401"),
    # The stream's owner asked for it; whoever made the groups manages them all.
    ("GET /dead-letters/bulk-actions/{bulk}", None, "     200 200 200 200 404 404 404 403 403 404 403 404 401"),
    # It is finished.
    ("POST /dead-letters/bulk-actions/{bulk}/cancel", None, "409 409 409 409 404 404 404 403 403 404 403 404 401"),
    # Alerts outlive the credential that asks for them: people make them.
    ("GET /alerts", None, "                               200 200 200 403 200 200 200 403 403 403 403 403 401"),
    ("GET /alert-rules", None, "                          200 200 200 403 200 200 200 403 403 403 403 403 401"),
    ("POST /alert-rules", RULE, "                         201 201 201 403 201 404 404 403 403 403 403 403 401"),
    ("GET /alert-rules/{rule}", None, "                   200 200 404 403 404 404 404 403 403 403 403 403 401"),
    ("PATCH /alert-rules/{rule}", {"paused": True}, "     200 200 404 403 404 404 404 403 403 403 403 403 401"),
    ("DELETE /alert-rules/{rule}", None, "                204 204 404 403 404 404 404 403 403 403 403 403 401"),
    ("POST /alert-rules/{rule}/test", None, "             202 202 404 403 404 404 404 403 403 403 403 403 401"),
    ("GET /alert-channels", None, "                       200 200 200 403 200 200 200 403 403 403 403 403 401"),
    ("POST /alert-channels", CHANNEL, "                   201 201 201 403 201 201 201 403 403 403 403 403 401"),
    ("GET /alert-channels/{channel}", None, "             200 200 404 403 404 404 404 403 403 403 403 403 401"),
    ("PATCH /alert-channels/{channel}", {"name": "m"}, "  200 200 404 403 404 404 404 403 403 403 403 403 401"),
    ("DELETE /alert-channels/{channel}", None, "          204 204 404 403 404 404 404 403 403 403 403 403 401"),
    ("POST /alert-channels/{channel}/test", None, "       202 202 404 403 404 404 404 403 403 403 403 403 401"),
]

# Without credentials: signing in and its like, and what the API says of itself.
OPEN = {
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
}


ENDS_ALL_SESSIONS = ("DELETE", "/auth/sessions")

ROLES = {
    "admin": [Role.ADMIN],
    "owner": [Role.PRODUCER, Role.CONSUMER],
    "maker": [Role.CONSUMER],
    "mate": [Role.CONSUMER],
    "strange": [Role.PRODUCER],
    "nobody": [],
    # These two ask for nothing: something is granted to them.
    "friend": [Role.CONSUMER],
    "helper": [Role.CONSUMER],
}


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


class Made(dict[str, Any]):
    """Makes what is asked for, once."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, name: str) -> Any:
        self[name] = self.make(name)
        return self[name]


# What a request may name, but for a name that is new and a channel of the actor's own.
OBJECTS = ("stream", "key", "team", "friend", "session", "bulk", "rule", "channel")


class Cast:
    """Everybody who asks; and fresh objects for each request that changes some, so that no answer depends on others.

    What is only read, or refused, are the same objects for all: most of a row's time would go into making them anew.
    """

    def __init__(self) -> None:
        self.users = Made(lambda name: make_user(*ROLES[name], email=f"{name}@example.com"))
        self.clients = Made(self._client)
        self.own_channels = Made(lambda name: str(make_channel(self.users[name]).pk))
        self._known: dict[tuple[str, ...], MutableMapping[str, str]] = {}
        self._numbers = itertools.count(1)

    def _client(self, actor: str) -> ApiClient:
        if actor in ROLES:
            return ApiClient(token=make_token(self.users[actor]))
        if actor in set(Right):
            return ApiClient(key=make_key(self.users["owner"], Right(actor)))
        if actor == "worker":
            return ApiClient(key=make_key(self.users["maker"], Right.CONSUME))
        if actor == "other":
            return ApiClient(key=make_key(self.users["owner"], streams=["another"]))
        return self.clients["mate"] if actor == "hidden" else ApiClient()

    def ask(self, actor: str, line: str, body: Any, *, is_refused: bool = False) -> Any:
        method, path = line.split(" ", 1)
        visibility = "restricted" if actor == "hidden" else "internal"
        # Reading and what is refused leave all as it was.
        wanted = ("reading", visibility) if method == "GET" or is_refused else (line, actor, visibility)
        if wanted not in self._known:
            self._known[wanted] = self.make_objects(visibility)
        objects = self._known[wanted]
        if method == "GET":
            # Lists have one of each to show.
            for name in OBJECTS:
                _ = objects[name]
        return self.send(actor, method, path, body, ChainMap({"new": f"new-{next(self._numbers)}"}, objects))

    def send(self, actor: str, method: str, path: str, body: Any, names: MutableMapping[str, str]) -> Any:
        client = self.clients[actor]
        if path.startswith("/alert"):
            names = ChainMap({"own": self.own_channels[actor] if actor in ROLES else "1"}, names)
        path = _filled(path, names)
        if method in ("GET", "DELETE", "PUT"):
            return {"GET": client.get, "DELETE": client.delete, "PUT": client.put}[method](path)
        return {"POST": client.post, "PATCH": client.patch}[method](path, _filled(body, names))

    def sign_in_anew(self) -> None:
        """Forget the sessions of all, and what hangs on them."""
        self.clients.clear()
        self._known.clear()

    def victim_key(self, user: str) -> str:
        return create_api_key(user=self.users[user], name="victim", scopes=[Right.CONSUME]).key.key_id

    def make_objects(self, visibility: str) -> MutableMapping[str, str]:
        """What hangs on the stream is made with it, all else when a request names it."""
        owner, number = self.users["owner"], next(self._numbers)
        apart: dict[str, Callable[[], str]] = {
            "key": lambda: self.victim_key("owner"),
            "team": lambda: make_team(f"team-{number}", self.users["friend"]).name,
            "friend": lambda: self.users["friend"].email,
            "session": lambda: str(claims_of(make_token(owner))["session"]),
            "rule": lambda: str(make_rule(owner, "lag").pk),
            "channel": lambda: str(make_channel(owner).pk),
        }
        on_stream = functools.cache(lambda: self.make_on_stream(f"orders-{number}", visibility))
        return Made(lambda name: apart[name]() if name in apart else on_stream()[name])

    def make_on_stream(self, name: str, visibility: str) -> dict[str, str]:
        owner, _friend, helper = (self.users[each] for each in ("owner", "friend", "helper"))
        stream = make_stream(name, owner=owner, visibility=visibility)
        group = make_group(stream, "billing", owner=self.users["maker"])
        assert self.clients["owner"].post("/events", {"stream": stream.name, "payload": 1}).status_code == 202
        stream.schemas.create(type="event", version=1, document="true", compatibility="none", created_by="user:1")
        leasing = make_group(stream, "shipping", mode="lease", owner=self.users["maker"])
        return {
            "stream": stream.name,
            "group": group.name,
            "grant": str(stream.grants.create(user=helper, rights=["consume"]).pk),
            "mirror": str(stream.mirrors.create(engine="nowhere", topic=name).pk),
            "move": str(stream.moves.create(source="postgres", target="nowhere", epoch_number=2).pk),
            "group_grant": str(group.grants.create(user=helper, rights=["use"]).pk),
            "leasing": leasing.name,
            "delivery": str(make_waiting_delivery(leasing)),
            "letter": str(make_dead_letter(leasing).pk),
            "bulk": str(make_bulk_action(owner, group, leasing).pk),
        }


def make_waiting_delivery(group: ConsumerGroup) -> int:
    """Have the group's first event handed out and given back."""
    delivery = lease_one(group, 1)
    release_deliveries(group=group, leases=refs(delivery))
    return delivery.id


def _filled(value: Any, names: MutableMapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, str):
        for name in re.findall(r"{(\w+)}", value):
            with contextlib.suppress(KeyError):
                value = value.replace(f"{{{name}}}", names[name])
        return int(value[1:]) if value.startswith("#") else value
    return value


def template_of(line: str) -> tuple[str, str]:
    method, path = line.split(" ")
    path = path.partition("?")[0].replace("{key}", "{key_id}").replace("/events/0/1", "/events/{partition}/{offset}")
    path = (
        path.replace("{leasing}", "{group}")
        .replace("/schemas/event/latest", "/schemas/{type}/{version}")
        .replace("{session}", "{session_id}")
        .replace("{friend}", "{user}")
        .replace("{letter}", "{dead_letter_id}")
        .replace("{delivery}", "{delivery_id}")
        .replace("{bulk}", "{action_id}")
        .replace("{rule}", "{rule_id}")
        .replace("{channel}", "{channel_id}")
        .replace("{mirror}", "{mirror_id}")
        .replace("{move}", "{move_id}")
    )
    path = path.replace("{grant}", "{grant_id}").replace("{group_grant}", "{grant_id}")
    return method, path


ROWS = {
    template_of(line): (line, body, dict(zip(ACTORS, statuses.split(), strict=True))) for line, body, statuses in TABLE
}


def test_every_route_is_in_the_table():
    assert set(api_routes()) - OPEN - set(ROWS) == set(), "routes without a row in TABLE"
    assert set(ROWS) - set(api_routes()) == set(), "rows whose route is gone"


@pytest.fixture(scope="module")
def cast(db_with_commits_for_all) -> Cast:
    return Cast()


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_each_route_answers_each_actor_as_the_table_says(cast, row):
    line, body, expected = ROWS[row]
    answers = {actor: cast.ask(actor, line, body, is_refused=expected[actor] >= "400") for actor in ACTORS}
    if row == ENDS_ALL_SESSIONS:
        cast.sign_in_anew()
    assert {actor: str(answer.status_code) for actor, answer in answers.items()} == expected
    for answer in answers.values():
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
    assert answers["anon"].headers["WWW-Authenticate"].startswith("Bearer")
    assert answers["anon"].json()["code"] == "credentials_missing"
