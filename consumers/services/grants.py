"""Letting others use or manage a group."""

from collections.abc import Collection

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import GrantUseless
from accounts.models import Grant, Team, User
from accounts.roles import Right, Role
from accounts.services.audit import record
from accounts.services.grants import give_rights, take_rights
from consumers.access import GroupRight
from consumers.models import ConsumerGroup, GroupGrant
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
        before = group.grants.filter(**{"user" if isinstance(to, User) else "team": to}).first()
        given = give_rights(group.grants, to=to, rights=rights, caller=caller)
        record(
            AuditAction.GROUP_SHARED,
            stream=(stream.id, stream.name),
            group=(group.pk, group.name),
            target=given[0].grantee,
            before={"rights": before.rights} if before else None,
            after={"rights": sorted(rights)},
        )
        transaction.on_commit(forget_groups)
    return given


def tell_of_a_teams_end(team: Team) -> None:
    """Write down of each group what a team could do with it, in the transaction that deletes the team."""
    for grant in GroupGrant.objects.filter(team=team).select_related("group__stream", "team").order_by("pk"):
        record(
            AuditAction.GROUP_UNSHARED,
            stream=(grant.group.stream_id, grant.group.stream.name),
            group=(grant.group_id, grant.group.name),
            target=grant.grantee,
            before={"rights": grant.rights},
        )
    transaction.on_commit(forget_groups)


@transaction.atomic
def revoke_group_grant(*, group: ConsumerGroup, grant_id: str) -> None:
    """Take back what one grant gave, within a second everywhere, also from who waits.

    Raises:
        GrantNotFound
    """
    taken = take_rights(group.grants, grant_id)
    record(
        AuditAction.GROUP_UNSHARED,
        stream=(group.stream_id, group.stream.name),
        group=(group.pk, group.name),
        target=taken.grantee,
        before={"rights": taken.rights},
    )
    transaction.on_commit(forget_groups)


def _as_caller(grantee: User | Team) -> Caller:
    """The user, or somebody who has every role and all else from this team."""
    if isinstance(grantee, User):
        return grantee.as_caller()
    roles = frozenset({Role.PRODUCER, Role.CONSUMER})
    return Caller(user_id=0, email="", roles=roles, team_ids=frozenset({grantee.pk}))
