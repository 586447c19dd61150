"""Programs in processes of their own, which can really die, without a start of Python and Django for each.

They are forks of one process that has loaded Django and what they use of it.
"""

import contextlib
import functools
import os
from types import TracebackType

from tests.forking import Origin, Process


class Forked(Process):
    """A program: `main()` of a module, with these arguments."""

    def __init__(self, module: str, *arguments: str) -> None:
        input_here, input_there = os.pipe()[::-1]
        output_here, output_there = os.pipe()
        origin = _origin()
        pid = origin.start(module, list(arguments), input_there, output_there)
        super().__init__(origin, pid, [module, *arguments])
        os.close(input_there)
        os.close(output_there)
        self.stdin = os.fdopen(input_here, "w")
        self.stdout = os.fdopen(output_here)

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self.wait()
        self.stdout.close()

    def wait(self, timeout: float = 60) -> int:
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        return super().wait(timeout)

    def communicate(self, timeout: float = 60) -> tuple[str, None]:
        """Return all that it wrote, once it has ended."""
        self.stdin.close()
        with self.stdout:
            said = self.stdout.read()
        self.wait(timeout)
        return said, None


@functools.cache
def _origin() -> Origin:
    # Where the programs find the test database, and what they need not know of it before.
    from tests.streams.log.appending import process_environment

    return Origin("tests.forked_django", environment=process_environment())
