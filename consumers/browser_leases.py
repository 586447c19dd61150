"""The names under which people lease from the dashboard: told from every program's, and the same from page to page.

`browser:12:9f86d081:ada@example.com` says whose it is, in which of their browsers it was taken, and how people know
them. Whoever leases by a program cannot take such a name. A person who closed a tab is no failing consumer: a lease
that was taken so and runs out goes back untouched (consumers/services/leasing/expiry.py).
"""

import hashlib

from consumers.conf import MAX_CONSUMER_CHARACTERS

PREFIX = "browser:"


def browser_consumer(*, user_id: int, session: str, email: str) -> str:
    """Return the name for one person in one browser; of a session it has a digest, which opens nothing."""
    digest = hashlib.blake2s(session.encode(), digest_size=4).hexdigest()
    return f"{held_by(user_id)}{digest}:{email}"[:MAX_CONSUMER_CHARACTERS]


def held_by(user_id: int) -> str:
    """Return how the names of one person begin, whichever their browser."""
    return f"{PREFIX}{user_id}:"


def is_browser(consumer: str) -> bool:
    """Whether a person holds, or held, this from the dashboard."""
    return consumer.startswith(PREFIX)


def person_of(consumer: str) -> str:
    """Return the e-mail address in such a name, or "" for a program's."""
    return consumer.split(":", 3)[-1] if is_browser(consumer) else ""
