"""Roles, rights and scopes: who may do what, before any stream is looked at.

The effective right of a request is `role ∩ grant ∩ key`. This module holds the first and the last
factor; the grant (ownership, visibility, explicit grants) belongs to the stream.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a user is. Each is a Django group of the same name; a user may hold several."""

    ADMIN = "admin"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Right(StrEnum):
    """What can be done with a stream; an API key's scopes are the same three words."""

    PRODUCE = "produce"
    CONSUME = "consume"
    MANAGE = "manage"


ALL_RIGHTS = frozenset(Right)

# A producer may read the streams that are theirs or granted to them, but an `internal` stream of
# somebody else is readable by the consumer role alone.
RIGHTS_OF_ROLE: dict[Role, frozenset[Right]] = {
    Role.ADMIN: ALL_RIGHTS,
    Role.PRODUCER: ALL_RIGHTS,
    Role.CONSUMER: frozenset({Right.CONSUME}),
}


def rights_of(roles: frozenset[Role]) -> frozenset[Right]:
    """The rights that a holder of these roles can have at most, on any stream."""
    return frozenset().union(*(RIGHTS_OF_ROLE[role] for role in roles))
