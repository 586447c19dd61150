"""Making users and changing what they are."""

from collections.abc import Iterable

from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import Role
from accounts.services.authenticate_key import forget_keys


@transaction.atomic
def create_user(*, email: str, password: str | None, roles: Iterable[Role], name: str = "") -> User:
    """Make a user; without a password they can act through API keys only.

    Raises:
        django.core.exceptions.ValidationError: the password is too weak.
    """
    if password is not None:
        validate_password(password, User(email=email, name=name))
    return User.objects.create_user(email, password, roles=roles, name=name)


def disable_users(users: QuerySet[User]) -> int:
    """Shut users out, with all their keys and tokens; return how many."""
    disabled = users.update(is_active=False)
    forget_keys()
    return disabled
