"""Making users and changing what they are."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.db import transaction

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


@transaction.atomic
def set_roles(*, user: User, roles: Iterable[Role]) -> None:
    """Replace a user's roles; it counts for their tokens at once and for their keys within a second."""
    user.groups.set(Group.objects.filter(name__in=[role.value for role in roles]))
    transaction.on_commit(forget_keys)


def disable_user(*, user: User) -> None:
    """Shut a user out, with all their keys and tokens."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    forget_keys()
