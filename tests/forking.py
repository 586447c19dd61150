"""A process that has loaded modules, and forks programs that use them, so that none of them loads them again.

It has no connection and no thread. It is started when it is first needed (`python -m tests.forking MODULE …`), is told
what to run over its standard input, which is a socket, and ends with who started it; so do its programs.
"""

import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NoReturn

from eventflow_site.embedded.process import die_with_parent

# What an audit hook is told of a start, which is nothing to be seen in this process.
STARTS = "tests.forking.start"
_LONGEST_REQUEST_BYTES = 200_000


class Origin:
    """The process that forks, as seen by those who ask it to."""

    def __init__(self, *modules: str, environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._asked, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            subprocess.Popen([sys.executable, "-m", __name__, *modules], stdin=there.fileno(), env=environment)

    def start(self, program: str, arguments: list[str], *descriptors: int, **how: Any) -> int:
        """Run a program, with these as its standard input, output and errors, and return its process."""
        sys.audit(STARTS, program)
        return self._ask({"run": program, "arguments": arguments, **how}, *descriptors)

    def status_of(self, pid: int) -> int | None:
        """How it has ended, if it has. To be asked no more then."""
        status = self._ask({"has_ended": pid})
        return None if status < 0 else os.waitstatus_to_exitcode(status)

    def _ask(self, request: dict[str, object], *descriptors: int) -> int:
        with self._lock:
            socket.send_fds(self._asked, [json.dumps(request).encode()], descriptors)
            answer = self._asked.recv(100)
        assert answer, "the process that forks has ended"
        return int(answer)


class Process:
    """A program that was forked. It has what the tests use of `subprocess.Popen`."""

    def __init__(self, origin: Origin, pid: int, arguments: list[str]) -> None:
        self.args = arguments
        self.pid = pid
        self.returncode: int | None = None
        self._origin = origin
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                self.returncode = self._origin.status_of(self.pid)
            return self.returncode

    def wait(self, timeout: float = 60) -> int:
        deadline = time.monotonic() + timeout
        while (returncode := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.005)
        return returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run_main(module: str, arguments: list[str]) -> NoReturn:
    """`main()` of a module. It ends without what an interpreter does at its end, which is much for a small program."""
    sys.argv = [module, *arguments]
    status = 1
    try:
        import_module(module).main()
        sys.stdout.flush()
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        os._exit(status)


def _run_module(module: str, arguments: list[str], *, env: dict[str, str], cwd: str) -> None:
    """The same as `python -m`, in a session of its own."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _serve(asked: socket.socket) -> Callable[[], None] | None:
    """Fork what is asked for; return, in each fork, what it shall do."""
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, _LONGEST_REQUEST_BYTES, 3)
        if not text:
            return None
        request = json.loads(text)
        if "has_ended" in request:
            pid, status = os.waitpid(request["has_ended"], os.WNOHANG)
            asked.send(b"%d" % (status if pid else -1))
            continue
        pid = os.fork()
        if not pid:
            asked.close()
            for standard, descriptor in enumerate(descriptors):
                os.dup2(descriptor, standard)
                os.close(descriptor)
            die_with_parent()
            program, arguments = request.pop("run"), request.pop("arguments")
            if not request:
                return functools.partial(_run_main, program, arguments)
            return functools.partial(_run_module, program, arguments, **request)
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(b"%d" % pid)


def main() -> None:
    for module in sys.argv[1:]:
        import_module(module)
    # No collection in a fork need touch, and so copy, what is here.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        program = _serve(socket.socket(fileno=os.dup(0)))
    if program is not None:
        program()


if __name__ == "__main__":
    main()
