"""The PostgreSQL and the Valkey of one test run: their addresses are known at once, they start when a test needs them."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from eventflow_site.embedded.postgres import DISPOSABLE, PostgresServer, postgres_in
from eventflow_site.embedded.valkey import ValkeyServer, valkey_in
from tests import migrated_cluster


class EmbeddedServers:
    """What the environment does not name, in the directory of this run."""

    def __init__(self, run: Path) -> None:
        self.postgres: PostgresServer | None = None
        self.valkey: ValkeyServer | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        if not os.environ.get("DATABASE_URL"):
            self.postgres = postgres_in(run / "postgres", log_path=run / "postgres.log", durability=DISPOSABLE)
        if not os.environ.get("REDIS_URL"):
            self.valkey = valkey_in(run / "valkey", log_path=run / "valkey.log", keeps_data=False)

    @property
    def addresses(self) -> dict[str, str]:
        """What tests and the programs that they start find in their environment."""
        found: dict[str, str] = {}
        if self.postgres is not None:
            found |= {"DATABASE_URL": self.postgres.url, "EVENTFLOW_TEST_TEMPLATE": migrated_cluster.TEMPLATE}
        if self.valkey is not None:
            found |= {"REDIS_URL": self.valkey.url, "CELERY_BROKER_URL": self.valkey.broker_url}
        return found

    def start(self) -> None:
        """Return when both answer. From the main thread: they end when the thread that started them does."""
        if self._processes:
            return
        if self.valkey is not None:
            with self.valkey.log_path.open("ab") as log:
                valkey_process = self.valkey.start(log)
            self._processes.append(valkey_process)
        if self.postgres is not None:
            migrated_cluster.copy_to(self.postgres)
            with self.postgres.log_path.open("ab") as log:
                process = self.postgres.start(log)
            self._processes.append(process)
            self.postgres.wait_until_ready(process)
        if self.valkey is not None:
            self.valkey.wait_until_ready(valkey_process)

    def stop(self) -> None:
        for process in self._processes:
            # Nothing is worth writing down: the immediate shutdown.
            process.send_signal(signal.SIGQUIT)
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # Where the path to the checkout is long they are not in the directory of the run.
        if self.postgres is not None:
            shutil.rmtree(self.postgres.sockets, ignore_errors=True)
        if self.valkey is not None:
            shutil.rmtree(self.valkey.socket_path.parent, ignore_errors=True)
