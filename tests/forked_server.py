"""The web server as `make run` starts it, without loading its libraries each time.

It is a fork of a process that has loaded them, which is more than half of what a server takes to start. What is ours,
and whatever looks at the settings or at the environment, each loads for itself.
"""

import functools
import os
from collections.abc import Mapping
from typing import IO

from eventflow_site import layout
from tests.forking import Origin, Process


def start(arguments: list[str], env: Mapping[str, str], log: IO[bytes]) -> Process:
    """The same as `python` with these arguments (`-m`, a module, its words), but for `PYTHON…` of the environment."""
    option, module, *words = arguments
    assert option == "-m", arguments
    with open(os.devnull) as nothing:  # noqa: PTH123
        descriptors = (nothing.fileno(), log.fileno(), log.fileno())
        pid = _origin().start(module, words, *descriptors, env=dict(env), cwd=str(layout.CODE))
    return Process(_origin(), pid, arguments)


@functools.cache
def _origin() -> Origin:
    return Origin("tests.forked_libraries", environment={**os.environ, "PYTHONUNBUFFERED": "1"})
