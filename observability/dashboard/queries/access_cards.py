"""Who may do something with a stream or a group, as their settings pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.caller import Caller
from accounts.conf import MAX_GRANTS
from accounts.models import Owned
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.models import ConsumerGroup
from streams.models import Stream

STREAM_RIGHTS = {
    Right.PRODUCE: "append events",
    Right.CONSUME: "read them, and make groups of their own",
    Right.MANAGE: "change, share and delete it",
}
GROUP_RIGHTS = {
    GroupRight.USE: "read, lease, commit and ack as this group",
    GroupRight.MANAGE: "change, pause, seek and delete it, and deal with its dead letters",
}


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One user or team with what was given to them."""

    id: int
    grantee: str
    is_team: bool
    rights: tuple[str, ...]
    granted_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccessCard:
    """The owner, the grants, and the rights that can be given."""

    owner: str
    is_team: bool
    may_give_away: bool
    grants: tuple[GrantRow, ...]
    choices: Sequence[tuple[str, str]]


def stream_access(caller: Caller, stream: Stream) -> AccessCard:
    """Return who may do what with a stream, in two queries."""
    return _card(caller, stream, stream.grants, [(str(right), words) for right, words in STREAM_RIGHTS.items()])


def group_access(caller: Caller, group: ConsumerGroup) -> AccessCard:
    """Return who may do what with a group, in two queries."""
    return _card(caller, group, group.grants, [(str(right), words) for right, words in GROUP_RIGHTS.items()])


def _card(caller: Caller, thing: Owned, grants: Any, choices: Sequence[tuple[str, str]]) -> AccessCard:
    rows = grants.select_related("user", "team")[:MAX_GRANTS]
    return AccessCard(
        owner=thing.owner_name,
        is_team=thing.owner_team_id is not None,
        may_give_away=caller.is_admin or thing.owned_by.includes(caller),
        grants=tuple(
            GrantRow(
                id=row.pk,
                grantee=row.grantee,
                is_team=row.team_id is not None,
                rights=tuple(row.rights),
                granted_by=row.granted_by,
                created_at=row.created_at,
            )
            for row in rows
        ),
        choices=choices,
    )
