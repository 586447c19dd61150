"""A web worker may have more connections than a shell allows files."""

import subprocess
import sys

import pytest

from tests.run.instance import PROJECT

pytestmark = pytest.mark.processes

TELL = """
import resource, subprocess, sys
from eventflow_site.supervisor.limits import allow_open_files
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
allow_open_files()
child = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
sys.stdout.write(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


def limits_of_a_child(*, hard: str) -> tuple[int, ...]:
    """The soft and the hard limit of a child, where a shell gives 256 and the system at most `hard`."""
    told = subprocess.run(
        [sys.executable, "-c", TELL.format(hard=hard)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return tuple(map(int, told.stdout.split()))


@pytest.mark.parametrize("hard", [300, 2_000])
def test_children_may_open_as_many_files_as_the_system_allows(hard: int) -> None:
    assert limits_of_a_child(hard=str(hard)) == (hard, hard)


def test_but_no_more_than_are_needed() -> None:
    soft, hard = limits_of_a_child(hard="hard")
    assert soft == min(65_536, hard)
