"""What the headers of a request no longer show once they are read: who has to be exact about one asks here."""

from collections.abc import Collection
from typing import Final, Protocol

from django.http import HttpRequest

# Where the web server keeps, in the environment of a request, which headers there were more than once.
REPEATED_HEADERS: Final = "eventflow.repeated_headers"


class KnowsHeaderLines(Protocol):
    """A request that knows what its header lines were: the web server's own."""

    def unreadable_headers(self) -> Collection[str]:
        """Return headers that there were and that could not be read, as WSGI writes their names."""
        ...


def repeated_headers(request: HttpRequest) -> Collection[str]:
    """Return those that there were more than once, as WSGI writes their names.

    Joined with a comma, as HTTP says, they look like one that has a comma.
    """
    found: Collection[str] = request.META.get(REPEATED_HEADERS, ())
    return found


def unreadable_headers(request: HttpRequest) -> Collection[str]:
    """Return those whose values are no ASCII, which the web server leaves out, as WSGI writes their names."""
    ask = getattr(request, "unreadable_headers", None)
    return () if ask is None else ask()
