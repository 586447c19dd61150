"""Making users and changing what they are."""

from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import QuerySet

from accounts.audit_actions import AuditAction
from accounts.errors import InvalidParameter
from accounts.models import User
from accounts.roles import Role
from accounts.services.audit import record
from accounts.services.remembered_callers import forget_callers_on_commit
from accounts.time_zones import offered_zones


@transaction.atomic
def create_user(*, email: str, password: str | None, roles: Iterable[Role], name: str = "") -> User:
    """Make a user; without a password they can act through API keys only.

    Raises:
        django.core.exceptions.ValidationError: the password is too weak, or the e-mail address or the name is none.
    """
    # Nobody could sign in with it.
    User(email=email, name=name).clean_fields(exclude={"password"})
    if password is not None:
        validate_password(password, User(email=email, name=name))
    user = User.objects.create_user(email, password, roles=roles, name=name)
    record(AuditAction.USER_CREATED, target=user.email, after={"roles": sorted(user.roles)})
    return user


def disable_users(users: QuerySet[User]) -> int:
    """Shut users out, with all their keys and tokens; return how many."""
    with transaction.atomic():
        emails = list(users.filter(is_active=True).values_list("email", flat=True))
        disabled = users.update(is_active=False)
        for email in emails:
            record(AuditAction.USER_DISABLED, target=email)
        forget_callers_on_commit()
    return disabled


def choose_time_zone(*, user_id: int, time_zone: str) -> None:
    """Have pages speak to a user in this zone; empty: in that of their browser.

    Raises:
        InvalidParameter: there is no such zone.
    """
    if time_zone and time_zone not in offered_zones():
        raise InvalidParameter("time_zone", "Choose one of the list.")
    User.objects.filter(pk=user_id).update(time_zone=time_zone)
