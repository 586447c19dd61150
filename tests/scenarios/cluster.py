"""An installation of one's own, whose parts can be stopped, killed and brought back."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from eventflow_site.embedded.postgres import DURABLE, PostgresServer, postgres_in
from eventflow_site.embedded.valkey import ValkeyServer, valkey_in
from eventflow_site.supervisor.servers import ensure_database
from tests import migrated_cluster
from tests.run.instance import PROJECT, clean_environment, family_of, is_alive, wait_for
from tests.web_server import WebServer

STREAM = "demo"
GROUP = "demo-readers"
# What is appended to see whether appends work again.
BACK = "back"


@dataclass
class Reply:
    """What a client was told. `status` is None when it was told nothing."""

    status: int | None
    headers: Any
    body: Any
    seconds: float

    @property
    def is_durable(self) -> bool:
        return self.status in (200, 201, 202, 207)

    @property
    def is_refused(self) -> bool:
        """Certainly not stored: the outcome contract's second row."""
        if self.status == 503:
            return self.headers.get("EventFlow-Stored") == "no"
        if self.status == 409:
            return bool(self.body["code"] != "idempotency_in_progress")
        return self.status in (400, 401, 403, 404, 405, 410, 411, 413, 415, 422, 429)

    @property
    def is_unknown(self) -> bool:
        return not self.is_durable and not self.is_refused


class Cluster:
    """PostgreSQL as `make run` has it (on disk, durable), Valkey and two web workers."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(dir=os.environ["EVENTFLOW_HOME"], prefix="cluster-"))
        if os.geteuid() == 0:
            # The server's own user passes through.
            self.home.chmod(0o711)
        self.postgres: PostgresServer = postgres_in(
            self.home / "postgres", log_path=self.home / "postgres.log", durability=DURABLE
        )
        migrated_cluster.copy_to(self.postgres)
        self.valkey: ValkeyServer = valkey_in(self.home / "valkey", log_path=self.home / "valkey.log")
        self.start_postgres()
        self.start_valkey()
        ensure_database(self.postgres)
        self.environment = {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "CELERY_BROKER_URL": self.valkey.broker_url,
            "EVENTFLOW_HOME": str(self.home),
            "SECRET_KEY": os.environ["SECRET_KEY"],
            "JWT_SIGNING_KEY": os.environ["JWT_SIGNING_KEY"],
            "LOG_LEVEL": "WARNING",
        }
        self.key = self._prepare()
        self.web = WebServer(workers=2, **self.environment)

    def __enter__(self) -> "Cluster":
        self.web.__enter__()
        wait_for("the first append", lambda: self.append([0]).is_durable)
        return self

    def __exit__(self, *error: object) -> None:
        self.web.__exit__(*error)
        for process in (self._postgres_process, self._valkey_process):
            for pid in (process.pid, *family_of(process.pid)):
                _signal(pid, signal.SIGCONT)
            process.send_signal(signal.SIGQUIT)
            process.kill()
            process.wait()

    def _prepare(self) -> str:
        answer = self.home / "answer.json"
        subprocess.run(
            [sys.executable, "manage.py", "first_start", "--answer", str(answer)],
            cwd=PROJECT,
            env=clean_environment(**self.environment, DATABASE_POOL_SIZE="0"),
            check=True,
            capture_output=True,
        )
        return str(json.loads(answer.read_text())["api_key"])

    # --- faults ---------------------------------------------------------------------------------------

    def start_postgres(self) -> None:
        with self.postgres.log_path.open("ab") as log:
            self._postgres_process = self.postgres.start(log)
        self.postgres.wait_until_ready(self._postgres_process)

    def kill_postgres(self) -> None:
        """`kill -9` of the server and of everything that it started."""
        pids = [self._postgres_process.pid, *family_of(self._postgres_process.pid)]
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._postgres_process.wait()
        wait_for("the last of PostgreSQL", lambda: not any(map(is_alive, pids)))

    def crash_a_backend(self) -> None:
        """`kill -9` of a flusher's backend: PostgreSQL restarts itself, as after any crash."""
        # On a busy machine it may still be recovering from the last time, or the flusher may not be back.
        wait_for("a flusher's backend", self._flusher_backends)
        _signal(self._flusher_backends()[0], signal.SIGKILL)

    def _flusher_backends(self) -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'eventflow-append'"
        try:
            with psycopg.connect(self.postgres.url) as connection:
                return [pid for (pid,) in connection.execute(query)]
        except psycopg.OperationalError:
            return []

    def suspend_postgres(self) -> None:
        # The parent first: a backend that it began after a look at its children would go on serving.
        _signal(self._postgres_process.pid, signal.SIGSTOP)
        for pid in family_of(self._postgres_process.pid):
            _signal(pid, signal.SIGSTOP)

    def resume_postgres(self) -> None:
        for pid in (self._postgres_process.pid, *family_of(self._postgres_process.pid)):
            _signal(pid, signal.SIGCONT)

    def start_valkey(self) -> None:
        with self.valkey.log_path.open("ab") as log:
            self._valkey_process = self.valkey.start(log)
        self.valkey.wait_until_ready(self._valkey_process)

    def kill_valkey(self) -> None:
        self._valkey_process.kill()
        self._valkey_process.wait()

    # --- requests ----------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, *, timeout: float = 30, **headers: str) -> Reply:
        request = urllib.request.Request(
            self.web.url + path,
            method=method,
            data=None if body is None else orjson.dumps(body),
            headers={
                "X-API-Key": self.key,
                "Content-Type": "application/json",
                **{n.replace("_", "-"): v for n, v in headers.items()},
            },
        )
        started = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                content = answer.read()
                return Reply(answer.status, answer.headers, orjson.loads(content), time.monotonic() - started)
        except urllib.error.HTTPError as answer:
            with answer:
                return Reply(answer.code, answer.headers, orjson.loads(answer.read()), time.monotonic() - started)
        except (OSError, ValueError, EOFError) as error:
            # Nothing came, or not all of it: a cut answer tells nothing.
            return Reply(None, {}, repr(error), time.monotonic() - started)

    def append(self, payloads: list[Any], **options: Any) -> Reply:
        return self.ask("POST", "/api/v1/events", [{"stream": STREAM, "payload": p} for p in payloads], **options)

    def poll(self, after: int, **options: Any) -> Reply:
        return self.ask("GET", f"/api/v1/streams/{STREAM}/events?last_offset={after}&limit=1000", **options)

    def whole_log(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while True:
            reply = self.poll(events[-1]["offset"] if events else 0)
            assert reply.status == 200, reply
            if not reply.body:
                return events
            events += reply.body


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Load:
    """Producers and a reader at work while something breaks; afterwards, `check` holds the log against every answer."""

    def __init__(self, cluster: Cluster, *, producers: int = 6) -> None:
        self.cluster = cluster
        self.is_over = threading.Event()
        self.attempts: list[Attempt] = []
        self.seen: dict[int, Any] = {}
        self.faults: list[str] = []
        self.first_offset = cluster.whole_log()[-1]["offset"] + 1
        self._threads = [threading.Thread(target=self._produce, args=[number]) for number in range(producers)]
        self._threads.append(threading.Thread(target=self._read))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join(60)

    def _produce(self, producer: int) -> None:
        """Send batches; every second producer names each and asks again until it knows."""
        number = 0
        while not self.is_over.is_set():
            number += 1
            name = f"{id(self)}-{producer}-{number}"
            payloads = [f"{name}-{index}" for index in range(1 + number % 4)]
            attempt = Attempt(payloads, is_named=producer % 2 == 0)
            self.attempts.append(attempt)
            headers = {"Idempotency_Key": name} if attempt.is_named else {}
            deadline = time.monotonic() + 25
            while True:
                reply = self.cluster.append(payloads, timeout=15, **headers)
                attempt.replies.append(reply)
                if (
                    not attempt.is_named
                    or reply.is_durable
                    or reply.status in (400, 422)
                    or time.monotonic() > deadline
                ):
                    break
                time.sleep(0.1)
            if not reply.is_durable:
                time.sleep(0.05)

    def _read(self) -> None:
        """Follow the log: what was once read at an offset stays there, and nothing comes in before it later."""
        position = self.first_offset - 1
        while not self.is_over.is_set():
            reply = self.cluster.poll(position, timeout=15)
            if reply.status != 200:
                time.sleep(0.1)
                continue
            for event in reply.body:
                if event["offset"] != position + 1:
                    self.faults.append(f"after offset {position} came {event['offset']}")
                position = event["offset"]
                self.seen[position] = event["payload"]
            time.sleep(0.02)

    def check(self) -> dict[str, int]:
        """Assert the outcome contract; return how many attempts ended how."""
        log = self.cluster.whole_log()
        assert [event["offset"] for event in log] == list(range(1, len(log) + 1))
        assert self.faults == []
        stored: dict[Any, list[int]] = {}
        for event in log[self.first_offset - 1 :]:
            if event["payload"] == BACK:
                continue
            stored.setdefault(event["payload"], []).append(event["offset"])
        at = {event["offset"]: event["payload"] for event in log}
        assert {offset: at.get(offset) for offset in self.seen} == self.seen
        counts = {"durable": 0, "refused": 0, "unknown": 0, "retried": 0}
        for attempt in self.attempts:
            attempt.check(stored)
            last = attempt.replies[-1]
            counts["durable" if last.is_durable else "refused" if attempt.is_refused else "unknown"] += 1
            counts["retried"] += len(attempt.replies) > 1
        expected = {payload for attempt in self.attempts for payload in attempt.payloads}
        assert set(stored) <= expected
        return counts


class Attempt:
    """One batch, and every answer to it."""

    def __init__(self, payloads: list[str], *, is_named: bool) -> None:
        self.payloads = payloads
        self.is_named = is_named
        self.replies: list[Reply] = []

    @property
    def is_refused(self) -> bool:
        return all(reply.is_refused for reply in self.replies)

    def check(self, stored: dict[Any, list[int]]) -> None:
        offsets = [stored.get(payload, []) for payload in self.payloads]
        story = f"{self.payloads} {[(r.status, r.body) for r in self.replies]} {offsets}"
        assert all(len(each) <= 1 for each in offsets), f"stored twice: {story}"
        flat = [offset for each in offsets for offset in each]
        assert len(flat) in (0, len(self.payloads)), f"stored in part: {story}"
        assert flat == list(range(flat[0], flat[0] + len(flat))) if flat else True, f"torn apart: {story}"
        told = [reply for reply in self.replies if reply.is_durable]
        if told:
            assert [event["offset"] for event in told[-1].body["events"]] == flat, f"not where it was said: {story}"
        elif self.is_refused:
            assert not flat, f"refused, and yet stored: {story}"
