"""Giving rights to a thing and taking them back, whatever the thing is."""

from collections.abc import Collection
from typing import Any

from django.db import transaction

from accounts.caller import Caller
from accounts.conf import MAX_GRANTS
from accounts.errors import GrantNotFound, TooManyGrants
from accounts.models import Grant, Team, User
from accounts.row_ids import row_id_in


@transaction.atomic
def give_rights(grants: Any, *, to: User | Team, rights: Collection[str], caller: Caller) -> tuple[Grant, bool]:
    """Let a user or a team have exactly these rights; the second value says whether they had none before.

    Args:
        grants: the thing's grants, as its `grants` manager gives them.

    Raises:
        TooManyGrants
    """
    # One after the other: who counts, counts what others add.
    list(type(grants.instance).objects.select_for_update(no_key=True).filter(pk=grants.instance.pk).values_list("pk"))
    whom: dict[str, Any] = {"user": to, "team": None} if isinstance(to, User) else {"user": None, "team": to}
    if grants.exclude(**whom).count() >= MAX_GRANTS:
        raise TooManyGrants(f"{grants.instance} has {MAX_GRANTS} grants.")
    given: tuple[Grant, bool] = grants.update_or_create(
        **whom, defaults={"rights": sorted(rights), "granted_by": caller.email}
    )
    return given


def take_rights(grants: Any, grant_id: str) -> Any:
    """Take back what one grant gave, and return that grant.

    Raises:
        GrantNotFound: there is none of that id on this thing.
    """
    number = row_id_in(grant_id)
    taken = None if number is None else grants.select_for_update(of=("self",)).filter(pk=number).first()
    if taken is None:
        raise GrantNotFound
    grants.filter(pk=taken.pk).delete()
    return taken
