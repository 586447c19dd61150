"""What this process remembers of callers, by whichever credential they come."""

from django.db import transaction

from accounts.services.authenticate_browser import forget_browsers
from accounts.services.authenticate_key import forget_keys


def forget_callers_on_commit() -> None:
    """Have this process ask anew who may do what, once the change is there to be seen.

    Not before: whoever asks until then is told how it was, and has that remembered for the others.
    """
    transaction.on_commit(forget_keys)
    transaction.on_commit(forget_browsers)
