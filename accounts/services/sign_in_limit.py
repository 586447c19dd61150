"""How often somebody may try to sign in: for an account, from an address, and for both together.

A try is counted before its password is looked at, in one statement, so that parallel guesses are counted like
those that come one after another. PostgreSQL keeps the counts: they outlive a restart and hold for all workers.
"""

import hashlib
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.conf import (
    SIGN_IN_LIMIT_ACCOUNT,
    SIGN_IN_LIMIT_ACCOUNT_AND_ADDRESS,
    SIGN_IN_LIMIT_ADDRESS,
    SIGN_IN_WINDOW_SECONDS,
)
from accounts.errors import LoginThrottled
from accounts.models import SignInAttempts
from accounts.statements import run

# More than one try can add, so that the table shrinks again; few enough to cost nothing.
_SWEEP_ROWS = 10
_KEPT_AFTER_END = timedelta(hours=1)


def count_sign_in(*, email: str, address: str) -> None:
    """Count a try that is about to be made.

    Raises:
        LoginThrottled: there were too many in the last minutes; this one must not be made.
    """
    limits = _limits(email, address)
    counted = run("count_sign_in", subjects=sorted(limits), window_seconds=SIGN_IN_WINDOW_SECONDS)
    _sweep(timezone.now())
    waits = [seconds for subject, tries, seconds in counted if tries > limits[subject]]
    if waits:
        raise LoginThrottled(retry_after_seconds=max(1, *waits))


def forgive_sign_in(*, email: str, address: str) -> None:
    """Take back the count of a try that succeeded, and forget this account's failures from this address."""
    SignInAttempts.objects.filter(subject=_subject("both", email, address)).delete()
    others = [_subject("account", email), _subject("address", address)]
    SignInAttempts.objects.filter(subject__in=others).update(tries=Greatest(F("tries") - 1, 0))


def _limits(email: str, address: str) -> dict[str, int]:
    return {
        _subject("both", email, address): SIGN_IN_LIMIT_ACCOUNT_AND_ADDRESS,
        _subject("account", email): SIGN_IN_LIMIT_ACCOUNT,
        _subject("address", address): SIGN_IN_LIMIT_ADDRESS,
    }


def _subject(kind: str, *parts: str) -> str:
    """A short name for what is counted; hashed, since it may hold anything that somebody typed."""
    return f"{kind}:{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:40]}"


def _sweep(now: datetime) -> None:
    old = SignInAttempts.objects.filter(ends_at__lt=now - _KEPT_AFTER_END).values("pk")[:_SWEEP_ROWS]
    SignInAttempts.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
