"""What the headers of a request no longer show once they are read: who has to be exact about one asks here."""

from collections.abc import Collection
from typing import Final

from django.http import HttpRequest

# Where the web server keeps, in the environment of a request, which headers there were more than once.
REPEATED_HEADERS: Final = "eventflow.repeated_headers"


def repeated_headers(request: HttpRequest) -> Collection[str]:
    """Return those that there were more than once, as WSGI writes their names.

    Joined with a comma, as HTTP says, they look like one that has a comma.
    """
    found: Collection[str] = request.META.get(REPEATED_HEADERS, ())
    return found
