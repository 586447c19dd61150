"""From the moment an event is sent to the moment at which a live stream brings it: one clock, that of this machine."""

import threading
import time
from collections import Counter
from typing import Final

import msgspec

from ...encoding import encode_event
from ...errors import EventFlowError
from ...models import Event, Gap
from ...producing import append_to
from ..live import live_events
from ..places import head_of
from ..server import Server
from .measured import Measured, sum_up

_TYPE: Final = "bench.live"
_PATIENCE_SECONDS: Final = 5.0
# Between one event and the next, so that they do not share a commit or a write.
_PAUSE_SECONDS: Final = 0.01


def measure_end_to_end(name: str, server: Server, stream: str, *, seconds: float) -> Measured:
    """Append events one after the other for so long, and see each come.

    Raises:
        EventFlowError
    """
    reader = _Reader(server, stream)
    began, client_seconds = time.monotonic(), time.process_time()
    refused: Counter[str] = Counter()
    sent: dict[int, float] = {}
    number = 0
    while time.monotonic() < began + seconds and not reader.failures:
        body = encode_event(number, type=_TYPE)
        sent[number] = time.monotonic()
        server.transport.send_once(append_to(stream, [body]))
        if not reader.wait_for(number):
            refused["not_seen"] += 1
            break
        number += 1
        time.sleep(_PAUSE_SECONDS)
    if reader.failures:
        raise reader.failures[0]
    # The first one comes while the live stream is being opened.
    took = [seen - sent[number] for number, seen in reader.seen.items() if number > 0]
    return sum_up(
        name,
        events=len(took),
        took=took,
        seconds=time.monotonic() - began,
        refused=refused,
        client_seconds=time.process_time() - client_seconds,
        is_paced=True,
    )


class _Reader:
    """Follows the stream in a thread that ends with the program."""

    def __init__(self, server: Server, stream: str) -> None:
        self._live = live_events(server, stream, place=head_of(server, stream, None), types=[_TYPE])
        self._changed = threading.Condition()
        self.seen: dict[int, float] = {}
        self.failures: list[EventFlowError] = []
        threading.Thread(target=self._follow, daemon=True).start()

    def wait_for(self, number: int) -> bool:
        """Return whether it came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: number in self.seen or self.failures, _PATIENCE_SECONDS) is True

    def _follow(self) -> None:
        try:
            for each in self._live:
                if isinstance(each, Gap):
                    continue
                now = time.monotonic()
                with self._changed:
                    self.seen[int(msgspec.json.decode(each, type=Event).payload)] = now
                    self._changed.notify()
        except EventFlowError as error:
            with self._changed:
                self.failures.append(error)
                self._changed.notify()
