"""Noticing that whoever sent a request no longer listens."""

from collections.abc import Callable
from typing import Final, Protocol

from django.http import HttpRequest

# Nobody reads it; it stands in the log line and in the metrics (nginx writes the same).
STATUS: Final = 499


class HungUp(Exception):
    """The client has closed the connection: what is done for it from here on is done for nobody."""


class NoticesHangUp(Protocol):
    """A request that knows when its client hangs up: the web server's own."""

    has_hung_up: bool

    def on_hang_up(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` on the event loop when it happens, or has; return how to call that off."""
        ...


def check_still_there(request: HttpRequest) -> None:
    """Go no further for nobody.

    Raises:
        HungUp
    """
    if getattr(request, "has_hung_up", False):
        raise HungUp


def notices_hang_up(request: HttpRequest) -> bool:
    """Whether anybody would tell that the client has gone; where not, no answer may go on for ever."""
    return hasattr(request, "on_hang_up")


def call_on_hang_up(request: HttpRequest, callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` if the client hangs up, never where nobody can tell; return how to call that off."""
    watch: Callable[[Callable[[], None]], Callable[[], None]] | None = getattr(request, "on_hang_up", None)
    return _nothing_to_call_off if watch is None else watch(callback)


def _nothing_to_call_off() -> None:
    pass
