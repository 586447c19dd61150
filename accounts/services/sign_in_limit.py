"""How often somebody may try to sign in: to an account from an address, and from an address at all.

A try is counted before its password is looked at, so that parallel guesses are counted like those that come one after
another. A try that is refused here is not counted and writes nothing: whoever goes on guessing neither fills a table
nor puts off the end of the window. An account as such has no limit: anybody could lock its user out with it.
PostgreSQL keeps the counts: they outlive a restart and hold for all workers (docs/adr/0021).
"""

import hashlib
import math
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.addresses import sender_of
from accounts.conf import SIGN_IN_LIMIT_ACCOUNT_AND_ADDRESS, SIGN_IN_LIMIT_ADDRESS, SIGN_IN_WINDOW_SECONDS
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
    limits = _limits(email, sender_of(address))
    now = timezone.now()
    _refuse_if_used_up(limits, now)
    subjects = sorted(limits)
    with transaction.atomic():
        counted = run(
            "count_sign_in",
            subjects=subjects,
            limits=[limits[subject] for subject in subjects],
            window_seconds=SIGN_IN_WINDOW_SECONDS,
        )
        if len(counted) < len(limits):
            # Others took the last try since it was looked at; the subjects that had one get it back.
            transaction.set_rollback(True)
    if len(counted) < len(limits):
        _refuse_if_used_up(limits, now)
        raise LoginThrottled(retry_after_seconds=1)
    _sweep(now)


def forgive_sign_in(*, email: str, address: str) -> None:
    """Take back the count of a try that succeeded, and forget this account's failures from this address."""
    sender = sender_of(address)
    SignInAttempts.objects.filter(subject=_subject("both", email, sender)).delete()
    SignInAttempts.objects.filter(subject=_subject("address", sender)).update(tries=Greatest(F("tries") - 1, 0))


def _refuse_if_used_up(limits: dict[str, int], now: datetime) -> None:
    known = SignInAttempts.objects.filter(subject__in=limits, ends_at__gt=now)
    ends = [ends_at for subject, tries, ends_at in known.values_list() if tries >= limits[subject]]
    if ends:
        raise LoginThrottled(retry_after_seconds=max(1, math.ceil((max(ends) - now).total_seconds())))


def _limits(email: str, sender: str) -> dict[str, int]:
    return {
        _subject("both", email, sender): SIGN_IN_LIMIT_ACCOUNT_AND_ADDRESS,
        _subject("address", sender): SIGN_IN_LIMIT_ADDRESS,
    }


def _subject(kind: str, *parts: str) -> str:
    """A short name for what is counted; hashed, since it may hold anything that somebody typed."""
    return f"{kind}:{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:40]}"


def _sweep(now: datetime) -> None:
    old = SignInAttempts.objects.filter(ends_at__lt=now - _KEPT_AFTER_END).values("pk")[:_SWEEP_ROWS]
    SignInAttempts.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
