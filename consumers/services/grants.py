"""Letting others use or manage a group."""

from collections.abc import Collection

from django.db import transaction

from accounts.caller import Caller
from accounts.errors import GrantUseless
from accounts.models import Grant, Team, User
from accounts.roles import Right, Role
from accounts.services.grants import give_rights, take_rights
from consumers.access import GroupRight
from consumers.models import ConsumerGroup
from consumers.queries import forget_groups
from streams.lookup import StreamInfo


def grant_group(
    *, stream: StreamInfo, group: ConsumerGroup, to: User | Team, rights: Collection[GroupRight], caller: Caller
) -> tuple[Grant, bool]:
    """Let a user or a team have exactly these rights to a group; the second value says whether they had none before.

    Raises:
        GrantUseless: they may not consume the stream.
        TooManyGrants
    """
    if Right.CONSUME not in stream.rights_of(_as_caller(to)):
        raise GrantUseless(f"{to} may not consume {stream.name}, and so can do nothing with its groups.")
    with transaction.atomic():
        given = give_rights(group.grants, to=to, rights=rights, caller=caller)
        transaction.on_commit(forget_groups)
    return given


def revoke_group_grant(*, group: ConsumerGroup, grant_id: str) -> None:
    """Take back what one grant gave, within a second everywhere, also from who waits.

    Raises:
        GrantNotFound
    """
    take_rights(group.grants, grant_id)
    transaction.on_commit(forget_groups)


def _as_caller(grantee: User | Team) -> Caller:
    """The user, or somebody who has every role and all else from this team."""
    if isinstance(grantee, User):
        return grantee.as_caller()
    roles = frozenset({Role.PRODUCER, Role.CONSUMER})
    return Caller(user_id=0, email="", roles=roles, team_ids=frozenset({grantee.pk}))
