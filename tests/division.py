"""Who of xdist's workers runs which tests. Loaded with `-p`, so that it holds for every run."""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

BROWSER_TESTS = "tests/browser"
# They make and take away network interfaces, and a browser ends what it has under way when these change.
CONTAINER_TESTS = "tests/containers"


class Division(LoadFileScheduling):
    """A file's tests go to one worker, and all that need Chromium to the same one, with those that would disturb it.

    They come in the order of `tests.marks`: what starts programs, and waits for them, before what computes. Of three
    workers or more the last begins at the other end: it computes while the others wait.
    """

    def _split_scope(self, nodeid: str) -> str:
        is_alone = nodeid.startswith((f"{BROWSER_TESTS}/", f"{CONTAINER_TESTS}/"))
        return BROWSER_TESTS if is_alone else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        if len(self.nodes) > 2 and node is self.nodes[-1]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Division:
    return Division(config, log)
