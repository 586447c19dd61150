"""One supervised process: started, watched, brought back, stopped."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.process import kill_group

FIRST_DELAY_SECONDS = 0.1
# A database that has died again and again must still be back within five seconds of its last death.
LONGEST_DELAY_SECONDS = 3.0
# One that lived this long did not die at once: the next death starts again with the first delay.
SETTLED_SECONDS = 10.0


@dataclass
class Child:
    """A process that is brought back whenever it ends, later and later while it keeps dying."""

    name: str
    start_process: Callable[[IO[bytes]], subprocess.Popen[bytes]]
    log_path: Path
    stop_signal: signal.Signals = signal.SIGTERM
    # What ends it for good when it does not heed `stop_signal`.
    hard_signal: signal.Signals = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    quick_deaths: int = field(default=0, init=False)
    _started_at: float = field(default=0.0, init=False)
    _due_at: float = field(default=0.0, init=False)

    def start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        with self.log_path.open("ab") as log:
            self.process = self.start_process(log)
        return self.process

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def bring_back(self) -> str | None:
        """Start it again if it has ended and its delay is over; says what happened, if anything."""
        if self.process is None:
            return self._try_again() if time.monotonic() >= self._due_at else None
        exit_code = self.process.poll()
        if exit_code is None:
            return None
        kill_group(self.process)
        self.process = None
        return f"{self.name} ended ({_describe(exit_code)}); back in {self._postpone():.1f} s"

    def ask_to_stop(self) -> None:
        if self.process is not None and self.is_running:
            self.process.send_signal(self.stop_signal)

    def ensure_stopped(self, *, by: float) -> None:
        """Wait until `by` (monotonic time), then end it and everything that it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.send_signal(self.hard_signal)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        kill_group(self.process)
        self.process = None

    def _try_again(self) -> str | None:
        try:
            self.start()
        except (CannotStart, OSError) as error:
            reason = error.problem if isinstance(error, CannotStart) else error
            return f"{self.name} cannot be started ({reason}); again in {self._postpone():.1f} s"
        return None

    def _postpone(self) -> float:
        settled = time.monotonic() - self._started_at >= SETTLED_SECONDS
        self.quick_deaths = 1 if settled else self.quick_deaths + 1
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (self.quick_deaths - 1))
        self._due_at = time.monotonic() + delay
        return delay


def _describe(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
