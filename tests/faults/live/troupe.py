"""The troupe: each actor plays in a thread of its own, and every request that it makes is taken down."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.actors.acting import Acting
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.history import Keeper, Request
from tests.faults.live.client import Client


class Troupe:
    """Plays a cast against a running installation."""

    def __init__(self, keeper: Keeper, new_client: Callable[[], Client], seed: int) -> None:
        self._keeper, self._new_client, self._seed = keeper, new_client, seed
        self._ids = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self._curtain = threading.Event()
        # What went wrong in an actor itself: then the run is worth nothing.
        self.failures: list[str] = []
        # When the youngest append that was stored had been sent.
        self.last_stored_sent_at = 0.0

    def enter(self, cast: Mapping[str, Acting]) -> None:
        for name, actor in cast.items():
            thread = threading.Thread(target=self._play_in_thread, args=[name, actor], name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def leave(self, seconds: float) -> None:
        """Wake who rests, and wait until all have gone home; the stage must be over."""
        self._curtain.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.failures += [f"{thread.name} did not go home" for thread in self._threads if thread.is_alive()]

    def play(self, name: str, actor: Acting) -> Any:
        """Play one actor to its end, here and now; return what it returns."""
        client = self._new_client()
        said: Any = None
        try:
            while True:
                step = actor.send(said)
                if isinstance(step, Rest):
                    said = None
                    self._curtain.wait(step.seconds)
                else:
                    said = self._request(name, client, step)
        except StopIteration as end:
            return end.value
        finally:
            client.close()

    def _play_in_thread(self, name: str, actor: Acting) -> None:
        try:
            self.play(name, actor)
        except Exception as error:
            self.failures.append(f"{name} broke off: {error!r}")

    def _request(self, name: str, client: Client, ask: Ask) -> Reply:
        number = next(self._ids)
        begun = time.monotonic()
        reply = client.ask(ask, f"faults-{self._seed}-{number}")
        ended = time.monotonic()
        self._keeper.add(
            Request(
                number,
                name,
                ask.kind,
                begun,
                ended,
                ask.stream,
                ask.group,
                dict(ask.sent),
                reply.status,
                reply.outcome,
                reply.got,
                reply.request_id,
            )
        )
        if ask.kind == "append" and reply.is_durable:
            self.last_stored_sent_at = max(self.last_stored_sent_at, begun)
        return reply
