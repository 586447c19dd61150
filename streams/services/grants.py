"""Letting others produce to, consume or manage a stream."""

from collections.abc import Collection

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import GrantUseless
from accounts.models import Grant, Team, User
from accounts.roles import Right, rights_of
from accounts.services.audit import record
from accounts.services.grants import give_rights, take_rights
from streams.lookup import forget_streams
from streams.models import Stream, StreamGrant


def grant_stream(*, stream: Stream, to: User | Team, rights: Collection[Right], caller: Caller) -> tuple[Grant, bool]:
    """Let a user or a team have exactly these rights to a stream; the second value says whether they had none before.

    Raises:
        GrantUseless: the user's roles allow one of them to no stream at all.
        TooManyGrants
    """
    if isinstance(to, User) and (beyond := set(rights) - rights_of(to.roles)):
        roles = " and ".join(sorted(to.roles)) or "no role"
        raise GrantUseless(f"{to.email} is {roles}, which does not allow to {' or '.join(sorted(beyond))}.")
    with transaction.atomic():
        before = stream.grants.filter(**{"user" if isinstance(to, User) else "team": to}).first()
        given = give_rights(stream.grants, to=to, rights=rights, caller=caller)
        record(
            AuditAction.STREAM_SHARED,
            stream=(stream.pk, stream.name),
            target=given[0].grantee,
            before={"rights": before.rights} if before else None,
            after={"rights": sorted(rights)},
        )
        transaction.on_commit(forget_streams)
    return given


def tell_of_a_teams_end(team: Team) -> None:
    """Write into the history of each stream what a team could do with it, in the transaction that deletes the team."""
    for grant in StreamGrant.objects.filter(team=team).select_related("stream", "team").order_by("pk"):
        record(
            AuditAction.STREAM_UNSHARED,
            stream=(grant.stream_id, grant.stream.name),
            target=grant.grantee,
            before={"rights": grant.rights},
        )
    transaction.on_commit(forget_streams)


@transaction.atomic
def revoke_stream_grant(*, stream: Stream, grant_id: str) -> None:
    """Take back what one grant gave, within a second everywhere, also from who waits.

    Raises:
        GrantNotFound
    """
    taken = take_rights(stream.grants, grant_id)
    record(
        AuditAction.STREAM_UNSHARED,
        stream=(stream.pk, stream.name),
        target=taken.grantee,
        before={"rights": taken.rights},
    )
    transaction.on_commit(forget_streams)
