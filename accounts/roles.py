"""Roles, rights and scopes: who may do what, before any stream is looked at.

The effective right of a request is `role ∩ grant ∩ key`. This module holds the first and the last
factor; the grant (ownership, visibility, explicit grants) belongs to the stream.
"""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a user is. Each is a Django group of the same name; a user may hold several."""

    ADMIN = "admin"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Right(StrEnum):
    """What can be done with a stream."""

    PRODUCE = "produce"
    CONSUME = "consume"
    MANAGE = "manage"


class Scope(StrEnum):
    """What an API key may be used for: the rights, and being an admin, which no key is by itself."""

    PRODUCE = "produce"
    CONSUME = "consume"
    MANAGE = "manage"
    ADMIN = "admin"


ALL_RIGHTS = frozenset(Right)
ALL_SCOPES = frozenset(Scope)

# In the words of whoever gives a role or makes a key.
MEANING_OF_ROLE: dict[Role, str] = {
    Role.ADMIN: "everything, with everybody's streams, groups, keys and users",
    Role.PRODUCER: "own streams: make and manage them, append to them, read them",
    Role.CONSUMER: "read internal streams, and make groups of their own on them",
}
MEANING_OF_SCOPE: dict[Scope, str] = {
    Scope.PRODUCE: "append events",
    Scope.CONSUME: "read events, and work with its user's consumer groups",
    Scope.MANAGE: "make, change and delete streams; with consume, manage all groups on them",
    Scope.ADMIN: "do what its other scopes say with everybody's streams, and list all keys; for admins only",
}

# A producer may read the streams that are theirs or granted to them, but an `internal` stream of
# somebody else is readable by the consumer role alone.
RIGHTS_OF_ROLE: dict[Role, frozenset[Right]] = {
    Role.ADMIN: ALL_RIGHTS,
    Role.PRODUCER: ALL_RIGHTS,
    Role.CONSUMER: frozenset({Right.CONSUME}),
}


def roles_named(names: Iterable[str], *, is_superuser: bool) -> frozenset[Role]:
    """Return the roles of a user who is in Django's groups of these names; a superuser is an admin."""
    held = set(names)
    roles = {role for role in Role if role.value in held}
    return frozenset(roles | ({Role.ADMIN} if is_superuser else set()))


def rights_of(roles: frozenset[Role]) -> frozenset[Right]:
    """The rights that a holder of these roles can have at most, on any stream."""
    return frozenset().union(*(RIGHTS_OF_ROLE[role] for role in roles))


def scopes_of(roles: frozenset[Role]) -> frozenset[Scope]:
    """The scopes that are of any use to a key of somebody with these roles."""
    own = {Scope(right.value) for right in rights_of(roles)}
    return frozenset(own | {Scope.ADMIN} if Role.ADMIN in roles else own)


def usable_scopes(scopes: Iterable[str], roles: frozenset[Role]) -> list[Scope]:
    """Return the scopes of a key that its user's roles still allow: with a role, their keys lose what came with it."""
    allowed = scopes_of(roles)
    return [scope for scope in map(Scope, scopes) if scope in allowed]


def roles_within(roles: frozenset[Role], scopes: frozenset[Scope]) -> frozenset[Role]:
    """The roles that somebody acts in: without the scope `admin`, an admin is a producer and a consumer."""
    if Role.ADMIN not in roles or Scope.ADMIN in scopes:
        return roles
    return roles - {Role.ADMIN} | {Role.PRODUCER, Role.CONSUMER}
