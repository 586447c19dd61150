"""Programs that are forked behave as if they had been started."""

import os
import subprocess
import sys

import pytest

from tests import forked_server
from tests.run.instance import PROJECT, clean_environment, is_alive

pytestmark = pytest.mark.processes

LOADED = """
import sys, threading
import tests.forked_libraries
from django.conf import settings
print(settings.configured, threading.active_count(), "prometheus_client" in sys.modules)
"""
PROGRAM = """
import os, sys
print(sys.argv[1:], os.environ["WHO"], "HOME" in os.environ, os.getcwd(), os.getsid(0) == os.getpid())
sys.exit(3)
"""


def test_what_is_loaded_before_looks_at_no_setting_and_starts_no_thread():
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=PROJECT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False 1 False\n"


def test_a_program_has_its_words_its_environment_and_its_status(tmp_path, monkeypatch):
    (tmp_path / "told_on_its_way.py").write_text(PROGRAM)
    said = tmp_path / "said"
    # Where the program lies: the process that forks it has to find it.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    forked_server._origin.cache_clear()
    try:
        with said.open("wb") as log:
            program = forked_server.start(["-m", "told_on_its_way", "a", "b c"], {"WHO": "me"}, log)
            assert program.wait() == 3
    finally:
        # The next one has the environment of all others.
        forked_server._origin.cache_clear()
    assert said.read_text() == f"['a', 'b c'] me False {PROJECT} True\n"
    assert not is_alive(program.pid)


def test_a_program_that_is_killed_says_by_what(tmp_path):
    with (tmp_path / "said").open("wb") as log:
        program = forked_server.start(["-m", "http.server", "0"], dict(os.environ), log)
    assert program.poll() is None
    program.kill()
    assert program.wait() == -9
