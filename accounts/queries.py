"""Questions about users and keys."""

from django.db.models import QuerySet

from accounts.caller import Caller
from accounts.errors import ApiKeyNotFound, ScopeMissing, UserNotFound
from accounts.models import ApiKey, User


def list_api_keys(caller: Caller) -> QuerySet[ApiKey]:
    """The keys that a caller may see: their own, or all for an admin."""
    keys = ApiKey.objects.select_related("user")
    return keys if caller.is_admin else keys.filter(user_id=caller.user_id)


def get_api_key(caller: Caller, key_id: str) -> ApiKey:
    """Return one of the keys that the caller may see.

    Raises:
        ApiKeyNotFound: missing or somebody else's: the two look the same.
    """
    key = list_api_keys(caller).filter(pk=key_id).first() if "\x00" not in key_id else None
    if key is None:
        raise ApiKeyNotFound("There is no such API key, or you may not see it.")
    return key


def get_user_of(caller: Caller) -> User:
    """Return the user behind a caller."""
    return User.objects.get(pk=caller.user_id)


def get_user_by_email(caller: Caller, email: str) -> User:
    """Return an active user whom the caller may name: themselves, or for an admin anybody.

    Raises:
        ScopeMissing: somebody else was named, whether there is such a user or not.
        UserNotFound
    """
    email = email.strip().lower()
    if email != caller.email and not caller.is_admin:
        raise ScopeMissing("Only an admin can name somebody else.")
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        raise UserNotFound("There is no active user with this e-mail address.")
    return user
