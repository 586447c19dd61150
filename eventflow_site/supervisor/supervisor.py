"""Starts everything in order, brings back what dies, and stops everything."""

import hashlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.process import wait_until
from eventflow_site.supervisor import migrated, programs, servers
from eventflow_site.supervisor.children import Child
from eventflow_site.supervisor.configuration import Configuration, is_every_address
from eventflow_site.supervisor.first_answer import read_answer
from eventflow_site.supervisor.home import FIRST_ADMINS_VARIABLE, Home, keep_secrets, write_env_file
from eventflow_site.supervisor.limits import allow_open_files
from eventflow_site.supervisor.logs import LogWatch, reason_among, said_since
from eventflow_site.supervisor.terminal import say

READY_SECONDS = 60
FIRST_START_SECONDS = 600
# What programs get to finish what they accepted, and servers to write down what they hold.
PROGRAMS_STOP_SECONDS = 5.0
SERVERS_STOP_SECONDS = 3.0
HOPELESS_DEATHS = 3


class Stopped(Exception):
    """Somebody asked to stop before everything had started."""


@dataclass
class Supervisor:
    """Everything that one `up` runs."""

    configuration: Configuration
    home: Home
    stop_asked: threading.Event
    servers: list[Child] = field(default_factory=list)
    programs: list[Child] = field(default_factory=list)
    _watches: list[LogWatch] = field(default_factory=list)

    @property
    def first_start_answer(self) -> Path:
        """What the first start created: in one database, so each has a file of its own."""
        database = hashlib.sha256((self.configuration.database_url or "").encode()).hexdigest()[:8]
        return self.home.path / f"first_start-{database}.json"

    def start(self) -> bool:
        """Start everything, and return when the web server answers.

        Returns whether this was the first start.

        Raises:
            CannotStart: something that is needed did not come up.
            Stopped: `stop_asked` was set meanwhile.
        """
        allow_open_files()
        env = {**os.environ, **self._secrets(), "EVENTFLOW_HOME": str(self.home.path)}
        self._set_defaults(env)
        note = self._start_servers(env)
        write_env_file(
            self.home.run_file,
            {name: env[name] for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")},
            heading="The servers of what runs here now; removed when it stops.",
        )
        is_first = read_answer(self.first_start_answer) is None
        if note is None or is_first or not migrated.is_up_to_date(note):
            self._prepare_database(env)
            if note is not None:
                migrated.remember(note)
        self._start_web(env)
        for child in (programs.worker(self.home, env), programs.beat(self.home, env)):
            self._supervise(child, self.programs)
        return is_first

    def look_after(self) -> None:
        """Bring back what has ended, and show what is worth a look; to be called again and again."""
        self._bring_back()
        for watch in self._watches:
            for line in watch.new_warnings():
                say(line)

    def stop(self) -> None:
        """Stop everything, programs before the servers they use; nothing is left afterwards."""
        for group, seconds in ((self.programs, PROGRAMS_STOP_SECONDS), (self.servers, SERVERS_STOP_SECONDS)):
            deadline = time.monotonic() + seconds
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.ensure_stopped(by=deadline)
        self.home.run_file.unlink(missing_ok=True)

    def _bring_back(self) -> None:
        for child in (*self.servers, *self.programs):
            event = child.bring_back()
            if event is not None:
                say(event)

    def _secrets(self) -> dict[str, str]:
        """Secrets for the children; what the environment holds wins."""
        keys = ("SECRET_KEY", "JWT_SIGNING_KEY")
        is_embedded = self.configuration.database_url is None
        # Once there is an admin, a password made up now would be nobody's.
        password = () if read_answer(self.first_start_answer) else (FIRST_ADMINS_VARIABLE,)
        kept = keep_secrets(self.home, generate=(*keys, *password) if is_embedded else password)
        if not is_embedded:
            # Two machines on one database must agree on these, so none of them makes up its own.
            needed = [name for name in (*keys, "ALLOWED_HOSTS") if not os.environ.get(name) and name not in kept]
            if needed:
                raise CannotStart(
                    f"{', '.join(needed)} must be set when DATABASE_URL names a server of your own.",
                    "A key is any long random text: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'; "
                    "ALLOWED_HOSTS lists the names of this site: ALLOWED_HOSTS=localhost,127.0.0.1",
                )
        return {name: os.environ.get(name) or kept[name] for name in kept}

    def _set_defaults(self, env: dict[str, str]) -> None:
        if self.configuration.database_url is None:
            # On one machine, over plain HTTP. Whoever brings a database gets the strict defaults.
            host = self.configuration.host.lower()
            hosts = [
                *("localhost", "127.0.0.1", "[::1]", socket.gethostname().lower()),
                *([] if is_every_address(host) else [f"[{host}]" if ":" in host else host]),
            ]
            env.setdefault("ALLOWED_HOSTS", ",".join(dict.fromkeys(hosts)))
            env.setdefault("EVENTFLOW_SECURE_COOKIES", "false")
        # Static files are collected here, or found in the packages; a missing directory is a warning.
        self.home.directory("static")
        if "PROMETHEUS_MULTIPROC_DIR" not in env:
            # The web workers add up their counters through files.
            env["PROMETHEUS_MULTIPROC_DIR"] = str(servers.clear_directory(self.home.directory("metrics")))
        env["PYTHONUNBUFFERED"] = "1"

    def _start_servers(self, env: dict[str, str]) -> Path | None:
        """Start or check both servers, side by side; returns where to note the migrations.

        None where the database is not ours alone: then only Django can tell what it lacks.
        """
        postgres = valkey = None
        if self.configuration.database_url is None:
            postgres = servers.embedded_postgres(self.home)
            child = Child("postgres", postgres.start, postgres.log_path, signal.SIGINT, signal.SIGQUIT)
            postgres_process = self._supervise(child, self.servers)
        if self.configuration.redis_url is None:
            valkey = servers.embedded_valkey(self.home)
            valkey_process = self._supervise(Child("valkey", valkey.start, valkey.log_path), self.servers)
            valkey.wait_until_ready(valkey_process)
            env["REDIS_URL"] = valkey.url
            env.setdefault("CELERY_BROKER_URL", valkey.broker_url)
        else:
            servers.check_redis(self.configuration.redis_url)
            env.setdefault("CELERY_BROKER_URL", self.configuration.redis_url)
        if postgres is None:
            servers.check_postgres(env["DATABASE_URL"], env.get("DATABASE_DIRECT_URL", ""))
            return None
        postgres.wait_until_ready(postgres_process, is_called_off=self.stop_asked.is_set, tell=say)
        self._raise_if_stopped()
        servers.ensure_database(postgres)
        env["DATABASE_URL"] = postgres.url
        env["EVENTFLOW_DISK_PATH"] = env.get("EVENTFLOW_DISK_PATH") or str(postgres.data)
        return postgres.data.parent / "migrated"

    def _supervise(self, child: Child, group: list[Child]) -> subprocess.Popen[bytes]:
        self._watches.append(LogWatch(child.name, child.log_path))
        group.append(child)
        return child.start()

    def _prepare_database(self, env: dict[str, str]) -> None:
        log_path = self.home.logs / "first_start.log"
        say("Preparing the database …")
        with log_path.open("wb") as log:
            process = programs.first_start(self.first_start_answer, env, log)
        wait_until(lambda: process.poll() is not None or self.stop_asked.is_set(), seconds=FIRST_START_SECONDS)
        if process.poll() is None:
            # Each migration is one transaction: what it has not finished never happened.
            process.kill()
            process.wait()
        self._raise_if_stopped()
        if process.returncode != 0:
            reason = reason_among(said_since(log_path, 0))
            raise CannotStart(f"The database could not be prepared: {reason}", f"All it said is in {log_path}.")

    def _start_web(self, env: dict[str, str]) -> None:
        web = programs.web(self.configuration, self.home, env)
        said_before = web.log_path.stat().st_size if web.log_path.exists() else 0
        self._supervise(web, self.programs)
        wait_until(
            lambda: self._web_answers() or self.stop_asked.is_set() or self._is_hopeless(web, said_before),
            seconds=READY_SECONDS,
        )
        self._raise_if_stopped()
        if not self._web_answers():
            reason = reason_among(said_since(web.log_path, said_before))
            raise CannotStart(f"The web server did not start: {reason}", f"All it said is in {web.log_path}.")

    def _is_hopeless(self, web: Child, said_before: int) -> bool:
        # What cannot even load the application will not do so the next time, and the time after that.
        if web.process is not None and web.process.poll() == os.EX_CONFIG:
            return True
        self._bring_back()
        worker_died = any(programs.WORKER_DIED in line for line in said_since(web.log_path, said_before))
        return worker_died or web.quick_deaths >= HOPELESS_DEATHS

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection(self.configuration.reachable_host, self.configuration.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return True
        finally:
            connection.close()

    def _raise_if_stopped(self) -> None:
        if self.stop_asked.is_set():
            raise Stopped
