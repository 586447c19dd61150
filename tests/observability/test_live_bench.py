"""The benchmark of many live streams runs to its end with a few."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.slow("starts a server of its own")]


def test_fifty_listeners_have_their_events():
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.live", "--listeners", "50"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "50 live streams on two workers" in ran.stdout
    assert "append → the last has the event, ms" in ran.stdout
