"""Who may own a thing or be given a right to it: a user, or a team of users."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from accounts.caller import Caller


@dataclass(frozen=True, slots=True)
class Principal:
    """One user or one team, by primary key; exactly one of the two is set."""

    user_id: int | None = None
    team_id: int | None = None

    def includes(self, caller: Caller) -> bool:
        """Whether the caller is this user, or a member of this team."""
        return caller.user_id == self.user_id if self.team_id is None else self.team_id in caller.team_ids


@dataclass(frozen=True, slots=True)
class Access:
    """Who owns a thing, and what was granted to whom."""

    owner: Principal
    grants: tuple[tuple[Principal, frozenset[str]], ...] = ()

    @classmethod
    def of(cls, owner: Principal, grants: Iterable[tuple[Principal, Collection[str]]]) -> Self:
        return cls(owner, tuple((principal, frozenset(rights)) for principal, rights in grants))

    def is_owned_by(self, caller: Caller) -> bool:
        return self.owner.includes(caller)

    def granted_to(self, caller: Caller) -> frozenset[str]:
        """The rights that this caller was given, in person or through a team."""
        return frozenset().union(*(rights for principal, rights in self.grants if principal.includes(caller)))
