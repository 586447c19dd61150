"""The packages as somebody has them who installed them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.run.instance import Instance, Program, clean_environment


@dataclass(frozen=True)
class Installation:
    """An environment that has the package, and a user with nothing in their home directory."""

    environment: Path
    user: Path

    @property
    def command(self) -> str:
        return str(self.environment / "bin" / "eventflow")

    @property
    def home(self) -> Path:
        return self.user / ".local" / "share" / "eventflow"

    def variables(self) -> dict[str, str]:
        return {"HOME": str(self.user), "XDG_DATA_HOME": "", "EVENTFLOW_HOME": "", "PYTHONPATH": ""}

    def run(self, *words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *words],
            cwd=cwd,
            env=clean_environment(**{**self.variables(), **variables}),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, cwd: Path) -> Instance:
        self.home.parent.mkdir(parents=True, exist_ok=True)
        return Instance(self.home, Program((self.command, "up"), cwd), **self.variables()).wait_until_greeted()
