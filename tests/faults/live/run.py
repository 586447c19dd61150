"""One run from beginning to end: storm, drain, calm, an orderly stop, a new start, and the audit."""

import random
import time
from pathlib import Path

from tests.faults.actors.auditor import read_everything
from tests.faults.actors.leader import is_settled
from tests.faults.cast import cast_of
from tests.faults.checker import Facts
from tests.faults.history import HistoryFile, Mark, load
from tests.faults.live.breaking import Breaking
from tests.faults.live.client import Client
from tests.faults.live.injector import Injector
from tests.faults.live.installation import Installation
from tests.faults.live.lease_rows import read_lease_rows
from tests.faults.live.setting import prepare
from tests.faults.live.troupe import Troupe
from tests.faults.stage import Act, Stage
from tests.faults.validity import lacking
from tests.faults.world import World

HISTORY = "history.jsonl"


class Run:
    """Plays against an installation of its own; `kept` is the directory of the history."""

    def __init__(self, seed: int, storm_seconds: float, kept: Path) -> None:
        self.seed, self.storm_seconds, self.kept = seed, storm_seconds, kept
        self.failures: list[str] = []

    def play(self) -> None:
        """Play it all. What the history says of it is for the checker."""
        injector: Injector | None = None

        def struck(kind: str, at: float) -> None:
            if injector is not None:
                injector.struck(kind, at)

        with Installation(struck) as installation:
            self._installation = installation
            try:
                self._world = World(self.seed, installation.measure_load())
                key = prepare(installation.port, self._world)
                self._stage = Stage(self._world)
                self._keeper = HistoryFile(self.kept / HISTORY)
                self._keeper.add(self._world)
                self._troupe = Troupe(self._keeper, lambda: Client(lambda: installation.port, key), self.seed)
                dice = random.Random(self.seed)
                injector = Injector(Breaking(installation, dice), self._keeper, self._troupe, dice)
                self._perform(injector)
            finally:
                installation.keep_logs(self.kept)

    def _perform(self, injector: Injector) -> None:
        """Play all acts; however they end, everybody goes home."""
        self._troupe.enter(cast_of(self._stage))
        try:
            self._acts(injector)
        finally:
            self._stage.act = Act.OVER
            self._troupe.leave(self._patience)
            self.failures += self._troupe.failures
            self._keeper.close()

    def _acts(self, injector: Injector) -> None:
        self._begin(Act.STORM)
        injector.storm(self.storm_seconds, self._has_shown_enough)
        self._begin(Act.DRAIN)
        self._await_settlement()
        self._begin(Act.CALM)
        time.sleep(self._world.calm_wait_seconds + self._world.patience_seconds + 5)
        self._begin(Act.HUSH)
        # So long that who waits has been waiting for a while when the stop comes.
        time.sleep(4)
        self._restart()
        self._begin(Act.DRAIN)
        self._await_settlement()
        self._begin(Act.OVER)
        self._troupe.leave(self._patience)
        self._troupe.play("auditor", read_everything(self._world))
        for row in read_lease_rows(self._installation):
            self._keeper.add(row)

    def _begin(self, act: Act) -> None:
        say(f"{act.value} …")
        self._stage.act = act
        self._mark(act.value)

    def _mark(self, name: str, note: str = "") -> None:
        self._keeper.add(Mark(name, time.monotonic(), note))

    def _has_shown_enough(self) -> bool:
        self._keeper.flush()
        return not lacking(Facts(load(self.kept / HISTORY)))

    @property
    def _patience(self) -> float:
        """How long things may take to settle: minutes on a busy machine."""
        return 90.0 + 10 * self._world.load_seconds

    def _await_settlement(self) -> None:
        """Wait until no group has anything left; what is still left after a bounded time, the checker sees."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if self._troupe.play("leader", is_settled(self._world)):
                self._mark("settled")
                return
            time.sleep(1)

    def _restart(self) -> None:
        """An orderly stop under load, and a new start on the same data."""
        say("stopping and starting …")
        self._mark("stopping")
        code = self._installation.stop()
        self._mark("stopped", f"exit code {code}")
        self._installation.start()
        self._mark("started")


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
