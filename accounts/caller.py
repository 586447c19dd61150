"""Who is asking: the one shape that every authenticator produces and every rule reads."""

from dataclasses import dataclass, field
from typing import Any, cast

from accounts.principals import Principal
from accounts.roles import ALL_SCOPES, Right, Role, Scope, rights_of, roles_within


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated person or key, with the rights that it can have at most.

    A person signed in with a token or a session has no key: every scope, every stream.

    Attributes:
        roles: those that the caller acts in. An admin's key without the scope `admin` is a producer's and a consumer's.
        key_id: public id of the API key, or None for a person.
        scopes: what the key was allowed to do; all for a person.
        stream_names: the streams that the key is limited to, or None for no limit.
        team_ids: the teams that the user is a member of.
        addresses: the networks that the key may be used from, or None for no limit.
        session_id: the session whose token a person has sent.
        reference: a stable name for logs, idempotency keys and the audit trail: `key:…` or `user:…`.
        names_in_turn: whose turn it is when this caller's comes, from the outside in.
    """

    user_id: int
    email: str
    roles: frozenset[Role]
    key_id: str | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    stream_names: frozenset[str] | None = None
    team_ids: frozenset[int] = frozenset()
    addresses: tuple[str, ...] | None = None
    session_id: str | None = None
    rights: frozenset[Right] = field(init=False)
    # Made once: a remembered caller is asked for them at every step of every request.
    reference: str = field(init=False, compare=False, repr=False)
    names_in_turn: tuple[str, str] = field(init=False, compare=False, repr=False)

    is_authenticated = True
    is_anonymous = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", roles_within(self.roles, self.scopes))
        rights = frozenset(right for right in rights_of(self.roles) if Scope(right.value) in self.scopes)
        object.__setattr__(self, "rights", rights)
        object.__setattr__(self, "reference", f"key:{self.key_id}" if self.key_id else f"user:{self.user_id}")
        object.__setattr__(self, "names_in_turn", (f"owner:{self.user_id}", self.reference))

    @property
    def is_admin(self) -> bool:
        """Whether every stream that the caller may touch is theirs to use."""
        return Role.ADMIN in self.roles

    @property
    def sees_everybody(self) -> bool:
        """Whether other people and their keys are the caller's to see: a key limited to streams is for these alone."""
        return self.is_admin and self.stream_names is None

    @property
    def sees_members(self) -> bool:
        """Whether the members of the caller's teams are theirs to see: a program needs no colleague's address."""
        return self.key_id is None or self.sees_everybody

    @property
    def pk(self) -> int:
        """The user's primary key, by the name that Django's ecosystem looks for."""
        return self.user_id

    @property
    def principal(self) -> Principal:
        """The user as an owner of things."""
        return Principal(user_id=self.user_id)

    def has_right(self, right: Right) -> bool:
        return right in self.rights

    def may_touch(self, stream_name: str) -> bool:
        """Whether the key's own list of streams, if it has one, includes this one."""
        return self.stream_names is None or stream_name in self.stream_names


def caller_of(request: Any) -> Caller:
    """Return who sent an API request; a view whose permission demands a caller always has one."""
    return cast("Caller", request.user)
