"""How each kind of fault is done. Each returns when it is undone, with what it struck; None where there was nothing."""

import random
import signal
import time
from collections.abc import Callable, Iterable

import psycopg

from tests.faults.live.installation import Installation, send
from tests.run.instance import family_of

Deed = Callable[[], str | None]
# How long to wait for a commit to break.
_COMMIT_SECONDS = 6.0


class Breaking:
    """The deeds, by the names in `tests/faults/kinds.py`."""

    def __init__(self, installation: Installation, dice: random.Random) -> None:
        self._installation, self._dice = installation, dice
        there = installation
        self.deeds: dict[str, Deed] = {
            "web_worker_killed": lambda: self._kill(self._one(there.web_workers())),
            "web_worker_paused": lambda: self._pause(self._one(there.web_workers())),
            "web_parent_killed": lambda: self._kill(self._part("web")),
            "web_parent_paused": lambda: self._pause(self._part("web")),
            "celery_killed": lambda: self._kill(self._part("celery")),
            "celery_paused": lambda: self._pause(self._part("celery")),
            "beat_killed": lambda: self._kill(self._part("beat")),
            "beat_paused": lambda: self._pause(self._part("beat")),
            "postgres_killed": lambda: self._kill(self._part("postgres")),
            "postgres_all_killed": lambda: self._kill(self._family("postgres")),
            "postgres_paused": lambda: self._pause(self._family("postgres")),
            "backend_killed": lambda: self._kill(self._one(there.backends())),
            "backend_terminated": self._terminate_backends,
            "valkey_killed": lambda: self._kill(self._part("valkey")),
            "valkey_paused": lambda: self._pause(self._part("valkey"), seconds=self._dice.uniform(4, 8)),
            "connections_cut": lambda: self._command("cut"),
            "commit_unanswered": lambda: self._break_commit("unanswered"),
            "commit_undelivered": lambda: self._break_commit("undelivered"),
            "network_paused": lambda: self._pause([there.network.pid]),
            "network_down": self._refuse_for_a_while,
        }

    # --- whom ----------------------------------------------------------------------------------------

    def _one(self, pids: list[int]) -> list[int]:
        return [self._dice.choice(pids)] if pids else []

    def _part(self, name: str) -> list[int]:
        pid = self._installation.part(name)
        return [pid] if pid else []

    def _family(self, name: str) -> list[int]:
        pids = self._part(name)
        return pids + [deeper for pid in pids for deeper in family_of(pid)]

    # --- what ----------------------------------------------------------------------------------------

    def _kill(self, pids: Iterable[int]) -> str | None:
        struck = list(pids)
        for pid in struck:
            send(pid, signal.SIGKILL)
        return _named(struck)

    def _pause(self, pids: Iterable[int], *, seconds: float | None = None) -> str | None:
        struck = list(pids)
        if not struck:
            return None
        for pid in struck:
            send(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds or self._seconds())
        finally:
            for pid in struck:
                send(pid, signal.SIGCONT)
        return _named(struck)

    def _seconds(self) -> float:
        """Mostly a hiccup; now and then longer than everything that gives up by itself."""
        return self._dice.uniform(9, 13) if self._dice.random() < 0.15 else self._dice.uniform(0.3, 4)

    def _terminate_backends(self) -> str | None:
        statement = (
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'eventflow%%' ORDER BY random() LIMIT %s"
        )
        try:
            rows = self._installation.query(statement, self._dice.randint(1, 3))
        except psycopg.Error:
            return None
        return _named([pid for pid, _ in rows])

    def _command(self, command: str) -> str:
        self._installation.command_network(command)
        return "network"

    def _refuse_for_a_while(self) -> str:
        seconds = self._dice.uniform(3, 7)
        self._command(f"down {seconds}")
        time.sleep(seconds)
        return "network"

    def _break_commit(self, what: str) -> str | None:
        """The network strikes when the commit comes, and says when: `Installation` is told."""
        self._command(f"{what} {self._dice.randint(0, 8)} {_COMMIT_SECONDS}")
        return None


def _named(pids: list[int]) -> str | None:
    return " ".join(map(str, pids)) or None
