"""The command `eventflow` as somebody types it: in this process, or in one of its own where signals and pipes matter."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eventflow_client.terminal.entry import main

SOURCE = Path(__file__).resolve().parents[1] / "src"


@dataclass
class Said:
    """What came of it."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def json(self) -> Any:
        """Its one JSON value."""
        (line,) = self.lines
        return json.loads(line)

    def all_json(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


@dataclass
class Shell:
    """A terminal with an environment; `at` is where the installation is."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    config: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, stdin: str | bytes | None = None, **environment: str) -> Said:
        content = stdin.encode() if isinstance(stdin, str) else stdin or b""
        self.capsys.readouterr()
        with self.monkeypatch.context() as patch:
            for name, value in (self.environment | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
            try:
                code = main(words)
            except SystemExit as end:
                code = int(end.code or 0)
        said = self.capsys.readouterr()
        return Said(code, said.out, said.err)

    def ok(self, *words: str, **given: Any) -> Said:
        said = self.run(*words, **given)
        assert said.code == 0, said
        return said

    @contextmanager
    def running(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """The command in a process of its own; it is killed in the end if it has not ended."""
        # As people have it: into a pipe Python writes thousands of characters at a time, unless it is told otherwise.
        given = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "", **self.environment, **environment}
        command = [sys.executable, "-m", "eventflow_client.terminal", *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, env=given, **pipes)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()


@pytest.fixture
def bare(monkeypatch, capsys, tmp_path) -> Shell:
    """A shell of somebody who has no credential yet, and no server."""
    for name in ("EVENTFLOW_API", "EVENTFLOW_KEY", "EVENTFLOW_PASSWORD", "EVENTFLOW_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Shell(monkeypatch, capsys, tmp_path / "config", {"EVENTFLOW_CONFIG": str(tmp_path / "config")})


@pytest.fixture
def shell(bare, network, key) -> Shell:
    """A shell whose environment has the key of somebody who owns the stream `orders`."""
    bare.environment |= {"EVENTFLOW_API": network.url, "EVENTFLOW_KEY": key}
    return bare
