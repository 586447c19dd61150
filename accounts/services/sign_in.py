"""Who is it? Passwords are looked at here and nowhere else, whichever door they come by."""

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.audit_actions import AuditAction
from accounts.conf import MAX_PASSWORD_LENGTH
from accounts.errors import InvalidCredentials, WeakPassword, WrongPassword
from accounts.models import User, UserSession
from accounts.services.audit import record
from accounts.services.sessions import Visitor, end_sessions
from accounts.services.sign_in_limit import count_sign_in, forgive_sign_in
from accounts.services.tokens import TokenPair, issue_tokens, renew


def sign_in(*, email: str, password: str, visitor: Visitor) -> tuple[User, TokenPair]:
    """Check an e-mail address and a password, and issue tokens to their user.

    Raises:
        InvalidCredentials, LoginThrottled
    """
    user = check_password(email=email, password=password, client_address=visitor.address)
    return user, issue_tokens(user, visitor=visitor)


def check_password(*, email: str, password: str, client_address: str) -> User:
    """Return the user whom an address and a password belong to; the same answer and time for an unknown one.

    Raises:
        InvalidCredentials: they do not belong together, or the user is disabled.
        LoginThrottled: too many tries from this address; the password was not looked at.
    """
    email = email.strip().lower()
    # The cap comes before hashing: a long password must not buy a long computation.
    if len(password) > MAX_PASSWORD_LENGTH or "\x00" in password or "\x00" in email:
        raise InvalidCredentials("E-mail address or password is wrong.")
    count_sign_in(email=email, address=client_address)
    user = authenticate(None, username=email, password=password)
    if not isinstance(user, User):
        record(AuditAction.SIGN_IN_REFUSED, target=email, was_refused=True)
        raise InvalidCredentials("E-mail address or password is wrong.")
    forgive_sign_in(email=email, address=client_address)
    return user


def change_password(
    *, user: User, current_password: str, new_password: str, session_id: str | None, visitor: Visitor
) -> TokenPair | None:
    """Give a user another password, and end all their sessions but the one in which they do it.

    Args:
        user: has the new password afterwards.

    Returns:
        new tokens of that session, if it has tokens: those from before end with the old password.

    Raises:
        WrongPassword, WeakPassword
        LoginThrottled: guessing the current one is limited as signing in is.
    """
    try:
        checked = check_password(email=user.email, password=current_password, client_address=visitor.address)
    except InvalidCredentials as error:
        raise WrongPassword("That is not your current password.") from error
    _check_new(new_password, user)
    now = timezone.now()
    with transaction.atomic():
        # Whoever has set another one since it was looked at may have done so because somebody knows this one.
        if User.objects.select_for_update(no_key=True).get(pk=user.pk).password != checked.password:
            raise WrongPassword("That is not your current password any more.")
        user.set_password(new_password)
        user.save(update_fields=["password"])
        record(AuditAction.PASSWORD_CHANGED, target=user.email, by=user)
        end_sessions(user_id=user.pk, now=now, except_id=session_id)
        own = UserSession.objects.select_for_update().filter(pk=session_id, ended_at__isnull=True).first()
        if own is None or own.kind != UserSession.Kind.TOKENS:
            return None
        own.user = user
        return renew(own, visitor=visitor, now=now)


def _check_new(password: str, user: User) -> None:
    if len(password) > MAX_PASSWORD_LENGTH or "\x00" in password:
        raise WeakPassword([f"It may have at most {MAX_PASSWORD_LENGTH} characters, and no NUL."])
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(list(error.messages)) from error
