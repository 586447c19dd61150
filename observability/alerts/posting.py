"""Posting JSON to somebody's address: within a time, to a checked place, reading no more than the first line."""

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from observability.alerts.egress import Refused, Unreachable, connect
from observability.alerts.targets import UnusableTarget, WebTarget
from observability.conf import ALERT_SEND_SECONDS

USER_AGENT = "EventFlow-Alerts/1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try went.

    Attributes:
        error: empty if it was taken.
        is_final: whether trying again is of no use.
    """

    error: str = ""
    is_final: bool = False

    @property
    def is_sent(self) -> bool:
        return not self.error


_TOO_LATE = Outcome("It did not answer in time.")


def post_json(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = ALERT_SEND_SECONDS) -> Outcome:
    """Post a body, and return whether the answer was one of 200 to 299. Redirects are not followed."""
    deadline = time.monotonic() + seconds
    try:
        target = WebTarget.of(url)
        connected = connect(target, seconds=seconds)
    except (UnusableTarget, Refused, Unreachable) as error:
        return Outcome(str(error))
    # Who answers byte by byte is waited for no longer than who does not answer.
    cut = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (connected,))
    cut.daemon = True
    cut.start()
    try:
        outcome = _exchange(target, connected, body, headers)
    except TimeoutError:
        return _TOO_LATE
    except (OSError, http.client.HTTPException):
        outcome = Outcome("It did not answer as HTTP.")
    finally:
        cut.cancel()
        connected.close()
    # What was cut off may look like the end of an answer.
    return outcome if time.monotonic() < deadline else _TOO_LATE


def _exchange(target: WebTarget, connected: socket.socket, body: bytes, headers: Mapping[str, str]) -> Outcome:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = connected
    # It would resolve the name itself, and connect to whatever that leads to by then.
    connection.auto_open = 0
    usual = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Connection": "close"}
    usual["Host"] = target.authority
    connection.request("POST", target.path, body, usual | dict(headers))
    # Neither body nor headers are shown to anybody: whoever chose the address must not read through us.
    status = connection.getresponse().status
    if 200 <= status <= 299:
        return Outcome()
    if 300 <= status <= 399:
        return Outcome(f"It answered {status}; redirects are not followed.")
    return Outcome(f"It answered {status}.", is_final=status == http.client.GONE)


def _cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It has ended already.
        return
