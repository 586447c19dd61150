"""The mirrors that this process runs, each in a thread of its own: one whose engine hangs holds up nobody else."""

import atexit
import logging
import os
import threading

from django.db import DatabaseError, InterfaceError, connection
from psycopg_pool import PoolTimeout

from streams.conf import MAX_RUNNING_MIRRORS, MIRROR_STOP_SECONDS
from streams.log import engine_aliases
from streams.services.mirroring.leases import MirrorLease, claim_mirrors, clear_ended_mirrors
from streams.services.mirroring.run import MirrorRun, clock

logger = logging.getLogger(__name__)


class RunningMirrors:
    """The threads, by mirror."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: dict[int, threading.Thread] = {}

    def take(self) -> int:
        """Take what mirrors are free and begin to copy; return how many were taken."""
        with self._lock:
            self._threads = {key: thread for key, thread in self._threads.items() if thread.is_alive()}
            room = MAX_RUNNING_MIRRORS - len(self._threads)
            if room <= 0 or self._stop.is_set():
                return 0
            claimed_at = clock()
            leases = claim_mirrors(engines=engine_aliases(), not_these=self._threads.keys(), limit=room)
            for lease in leases:
                thread = threading.Thread(
                    target=self._run,
                    args=(lease, claimed_at),
                    name=f"eventflow-mirror-{lease.mirror_id}",
                    daemon=True,
                )
                self._threads[lease.mirror_id] = thread
                thread.start()
            return len(leases)

    def _run(self, lease: MirrorLease, claimed_at: float) -> None:
        try:
            MirrorRun(lease, claimed_at=claimed_at, stop=self._stop).run()
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            # Somebody takes it when its lease has run out.
            logger.warning("the mirror into %s stops here: %s", lease.topic, type(error).__name__)
        except Exception:
            logger.exception("the mirror into %s stops here", lease.topic)
        finally:
            connection.close()

    def stop(self) -> None:
        """Let go of all of them, and wait for what they have under way."""
        self._stop.set()
        with self._lock:
            threads = list(self._threads.values())
        deadline = clock() + MIRROR_STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - clock()))


_running = RunningMirrors()


def run_mirrors() -> int:
    """Have this process run the mirrors that nobody runs; return how many it took. It returns at once."""
    clear_ended_mirrors()
    return _running.take()


def stop_mirrors() -> None:
    """Let other processes have the mirrors of this one; `run_mirrors` takes some again."""
    global _running
    running, _running = _running, RunningMirrors()
    running.stop()


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads."""
    global _running  # noqa: PLW0603 - one for each process is the point
    _running = RunningMirrors()


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(stop_mirrors)
