"""Programs in processes of their own, which can really die, without a start of Python and Django for each.

They are forks of one process that has loaded Django and nothing else: it has no connection and no thread. It is started
when it is first needed (`python -m tests.forked`, told what to run over its standard input, which is a socket), and ends
with who started it.
"""

import contextlib
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from importlib import import_module
from types import TracebackType

from eventflow_site.embedded.process import die_with_parent


class Forked:
    """A program: `main()` of a module, with these arguments. It has what the tests use of `subprocess.Popen`."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.args = [module, *arguments]
        self.returncode: int | None = None
        input_here, input_there = os.pipe()[::-1]
        output_here, output_there = os.pipe()
        self.pid = _ask({"run": self.args}, input_there, output_there)
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

    def poll(self) -> int | None:
        if self.returncode is None:
            status = _ask({"has_ended": self.pid})
            self.returncode = None if status < 0 else os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        deadline = time.monotonic() + timeout
        while (returncode := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.005)
        return returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float = 60) -> tuple[str, None]:
        """Return all that it wrote, once it has ended."""
        self.stdin.close()
        with self.stdout:
            said = self.stdout.read()
        self.wait(timeout)
        return said, None


def _ask(request: dict[str, object], *descriptors: int) -> int:
    to_forks = _origin()
    socket.send_fds(to_forks, [json.dumps(request).encode()], descriptors)
    answer = to_forks.recv(100)
    assert answer, "the process that forks has ended"
    return int(answer)


@functools.cache
def _origin() -> socket.socket:
    # Where the programs find the test database, and what they need not know of it before.
    from tests.streams.log.appending import process_environment

    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=there.fileno(),
            env=process_environment() | {"DJANGO_SETTINGS_MODULE": "eventflow_site.settings"},
        )
    return here


def _run(module: str, *arguments: str) -> None:
    """The program itself, in its own process."""
    die_with_parent()
    sys.argv = [module, *arguments]
    status = 1
    try:
        import_module(module).main()
        sys.stdout.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def main() -> None:
    import django

    django.setup()
    # What they use of it.
    for module in ("consumers.services.reconcile", "consumers.services.leasing", "streams.log"):
        import_module(module)
    # No collection in a fork need touch, and so copy, what is here.
    gc.collect()
    gc.freeze()
    asked = socket.socket(fileno=os.dup(0))
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, 10_000, 2)
        if not text:
            return
        request = json.loads(text)
        if "has_ended" in request:
            pid, status = os.waitpid(request["has_ended"], os.WNOHANG)
            asked.send(b"%d" % (status if pid else -1))
            continue
        pid = os.fork()
        if not pid:
            asked.close()
            for descriptor, standard in zip(descriptors, (0, 1), strict=True):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            _run(*request["run"])
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(b"%d" % pid)


if __name__ == "__main__":
    main()
