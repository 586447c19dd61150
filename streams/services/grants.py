"""Letting others produce to, consume or manage a stream."""

from collections.abc import Collection

from django.db import transaction

from accounts.caller import Caller
from accounts.errors import GrantUseless
from accounts.models import Grant, Team, User
from accounts.roles import Right, rights_of
from accounts.services.grants import give_rights, take_rights
from streams.lookup import forget_streams
from streams.models import Stream


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
        given = give_rights(stream.grants, to=to, rights=rights, caller=caller)
        transaction.on_commit(forget_streams)
    return given


def revoke_stream_grant(*, stream: Stream, grant_id: str) -> None:
    """Take back what one grant gave, within a second everywhere, also from who waits.

    Raises:
        GrantNotFound
    """
    take_rights(stream.grants, grant_id)
    transaction.on_commit(forget_streams)
