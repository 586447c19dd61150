"""The command `up`: exit code 0 after an orderly stop, 1 when it could not start."""

import argparse
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.process import die_with_parent
from eventflow_site.supervisor.configuration import check_address, read_configuration
from eventflow_site.supervisor.home import open_home
from eventflow_site.supervisor.supervisor import Stopped, Supervisor
from eventflow_site.supervisor.terminal import Terminal, complain, greet, say

WATCH_SECONDS = 0.1


def main(arguments: Sequence[str] = (), *, program: str = "manage.py up") -> int:
    """Run until asked to stop by SIGINT, SIGTERM or SIGHUP, or until the terminal is closed.

    Args:
        program: what the user has typed, for `--help`.
    """
    started_at = time.monotonic()
    options = _parser(program).parse_args(arguments)
    if options.stop_with_parent:
        die_with_parent(signal.SIGTERM)
    stop_asked = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop_asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup has SIGHUP ignored, and means it.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, ask_to_stop)
    try:
        configuration = read_configuration()
        home = open_home(configuration.home)
        check_address(configuration)
        supervisor = Supervisor(configuration, home, stop_asked)
        try:
            is_first = supervisor.start()
            seconds = time.monotonic() - started_at
            greet(configuration, home, answer=supervisor.first_start_answer, is_first=is_first, seconds=seconds)
            terminal = Terminal()
            while not stop_asked.wait(WATCH_SECONDS):
                if terminal.is_gone():
                    stop_asked.set()
                supervisor.look_after()
        finally:
            if stop_asked.is_set():
                say("Stopping …")
            supervisor.stop()
    except Stopped:
        return 0
    except CannotStart as error:
        complain(error.problem, error.way_out)
        return 1
    except OSError as error:
        # A full disk, a limit on processes: what the system says is the explanation.
        complain(f"{error}.", "Mend that and start again.")
        return 1
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Start everything: servers, migrations, web, worker and beat. All else is said by environment "
        "variables: HOST, PORT, WEB_WORKERS, EVENTFLOW_HOME, DATABASE_URL, REDIS_URL (docs/configuration.md).",
    )
    parser.add_argument(
        "--stop-with-parent", action="store_true", help="stop when the process that started this one ends (Linux)"
    )
    return parser
