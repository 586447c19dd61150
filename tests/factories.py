"""Builders of things to test with: plain functions with the defaults that most tests want."""

import itertools
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.models import Team, User
from accounts.principals import Principal
from accounts.roles import Right, Role, Scope
from accounts.services.api_keys import issue_api_key
from accounts.services.sessions import Visitor
from accounts.services.teams import add_member, create_team
from accounts.services.tokens import TokenPair, issue_tokens
from consumers.models import BulkAction, ConsumerGroup, DeadLetter
from consumers.services.groups import GroupSettings, create_group
from streams.lookup import load_stream
from streams.models import Partition, Stream
from streams.services.lifecycle import StreamSettings, create_stream, place_for_stream

_numbers = itertools.count(1)

# What `make_stream` says of a stream unless a test says otherwise.
usual_settings: dict[str, Any] = {}


def make_user(*roles: Role, email: str | None = None, password: str | None = None, **fields: Any) -> User:
    return User.objects.create_user(email or f"user{next(_numbers)}@example.com", password, roles=roles, **fields)


def make_owner() -> User:
    """A user who may do everything with their own streams."""
    return make_user(Role.PRODUCER, Role.CONSUMER)


def make_key(
    user: User, *scopes: Right | Scope, name: str = "test", streams: Sequence[str] | None = None, **fields: Any
) -> str:
    """Return the text of a new key, of use to its user or not; without scopes it has all but `admin`."""
    return issue_api_key(user=user, name=name, scopes=scopes or list(Right), stream_names=streams, **fields).secret


def make_token(user: User) -> str:
    """Return an access token of the user's."""
    return make_tokens(user).access


def make_tokens(user: User) -> TokenPair:
    """Return the first pair of tokens of a new session."""
    return issue_tokens(user, visitor=Visitor(address="192.0.2.1", user_agent="tests"))


def make_stream(name: str | None = None, *, owner: User | None = None, **settings: Any) -> Stream:
    caller = (owner or make_owner()).as_caller()
    name, wanted = name or f"stream-{next(_numbers)}", StreamSettings(**{**usual_settings, **settings})
    place = place_for_stream(caller=caller, name=name, settings=wanted)
    return create_stream(caller=caller, name=name, settings=wanted, place=place)


def make_group(stream: Stream, name: str | None = None, *, owner: User | None = None, **settings: Any) -> ConsumerGroup:
    """A group of the stream's owner, unless it is somebody else's."""
    info = load_stream(stream.name)
    assert info is not None
    group, _ = create_group(
        stream=info,
        name=name or f"group-{next(_numbers)}",
        settings=GroupSettings(**settings),
        owner=Principal(user_id=owner.pk) if owner else stream.owned_by,
    )
    return group


def make_team(name: str | None = None, *members: User) -> Team:
    team = create_team(name=name or f"team-{next(_numbers)}")
    for member in members:
        add_member(team=team, user=member)
    return team


def make_dead_letter(group: ConsumerGroup, offset: int = 1, *, partition: int = 0, **fields: Any) -> DeadLetter:
    """A dead letter of an event of the group's stream (which need not be in the log)."""
    event = (
        b'{"partition":0,"offset":%d,"recorded_at":"2026-11-22T10:00:00.000000Z","id":"e%d","type":"t","key":null,'
        % (
            offset,
            offset,
        )
    )
    defaults = {
        "event": event + b'"occurred_at":null,"headers":{},"payload":{"n":1}}',
        "reason": "max_failures",
        "created_at": timezone.now(),
    }
    place = Partition.objects.get(stream=group.stream, number=partition)
    return DeadLetter.objects.create(group=group, partition=place, offset=offset, **{**defaults, **fields})


def make_bulk_action(user: User, *groups: ConsumerGroup) -> BulkAction:
    """One that has come to its end."""
    return BulkAction.objects.create(
        group_ids=[group.pk for group in groups],
        kind="discard",
        requested_by=user.as_caller().reference,
        total_count=0,
        max_id=0,
        created_at=timezone.now(),
        finished_at=timezone.now(),
    )
