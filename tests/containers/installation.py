"""The containers that deploy/compose.yaml calls ours, each as it says, before a PostgreSQL and a Valkey of the tests."""

import json
import signal
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from eventflow_site.embedded.postgres import DATABASE_NAME, DURABLE, ROLE, postgres_in
from eventflow_site.embedded.valkey import find_program
from tests.containers.base import BASE
from tests.containers.engine import Container, Engine
from tests.run.instance import PROJECT, free_port, is_listening, wait_for
from tests.streams.log.faulty_network import FaultyNetwork

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / "deploy/compose.yaml").read_text())["services"]
TOKEN = "a-token-for-those-who-scrape"


def options_of(service: str) -> tuple[str, ...]:
    """What compose.yaml allows a service, in the engine's words, without its network and its volumes."""
    said = SERVICES[service]
    assert said["read_only"], service
    return (
        *("--network", "podman", "--read-only", "--read-only-tmpfs=false"),
        *(f"--tmpfs={place}" for place in said["tmpfs"]),
        *(f"--cap-drop={name}" for name in said["cap_drop"]),
        *("--security-opt", "no-new-privileges"),
        *("--memory", said["mem_limit"], "--pids-limit", str(said["pids_limit"])),
    )


def grace_seconds(service: str) -> int:
    """After how long the service is killed; engines wait for ten seconds unless told otherwise."""
    return int(SERVICES[service].get("stop_grace_period", "10s").removesuffix("s"))


class Installation:
    """Containers of one image on one database. Each is started by name, and stays until it is stopped."""

    def __init__(self, engine: Engine, image: str, variables: dict[str, str]) -> None:
        self.engine = engine
        self.image = image
        self._variables = variables
        self._volume = f"counters-{uuid.uuid4().hex[:8]}"
        engine.ask("volume", "create", self._volume)

    def start(self, service: str) -> Container:
        told = SERVICES[service]["environment"]
        variables = {
            name: self._variables.get(name, "" if "${" in str(value) else str(value)) for name, value in told.items()
        }
        return Container(
            self.engine,
            self.image,
            *SERVICES[service].get("command", ()),
            options=(
                *options_of(service),
                *("--volume", f"{self._volume}:/run/eventflow"),
                *(f"--env={name}={value}" for name, value in variables.items() if value),
            ),
        )


class Site:
    """The web server in a container, asked over its own address."""

    def __init__(self, container: Container, key: str = "") -> None:
        self.container = container
        self.url = f"http://{container.address}:8000"
        self.key = key

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and content."""
        request = urllib.request.Request(f"{self.url}{path}", None if body is None else json.dumps(body).encode())
        own = {"Host": "localhost", "Content-Type": "application/json"} | ({"X-API-Key": self.key} if self.key else {})
        for name, value in (own | headers).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def readiness(self) -> dict[str, Any]:
        return dict(json.loads(self.ask("/readyz")[1]))

    def metrics(self) -> str:
        return self.ask("/metrics", Authorization=f"Bearer {TOKEN}")[1]


@contextmanager
def installation(engine: Engine, image: str, directory: Path) -> Iterator[Installation]:
    """An empty PostgreSQL and an empty Valkey, which containers reach; what runs there ends with it."""
    # Where the host is for those on the engine's network. Its bridge comes with the first container, and some engines take
    # it away with the last: so one stays.
    Container(engine, BASE, "python3", "-c", "import signal; signal.pause()", options=options_of("web"))
    [network] = json.loads(engine.ask("network", "inspect", "podman"))
    host = network["subnets"][0]["gateway"]
    with _postgres(directory, host) as database, _valkey(directory, host) as valkey:
        try:
            yield Installation(
                engine,
                image,
                {
                    "DATABASE_URL": database,
                    "REDIS_URL": f"{valkey}/1",
                    "CELERY_BROKER_URL": f"{valkey}/0",
                    "SECRET_KEY": "a-secret-key-for-containers-only-of-more-than-fifty-characters",
                    "JWT_SIGNING_KEY": "a-signing-key-for-containers-only-of-more-than-fifty-characters",
                    "ALLOWED_HOSTS": "localhost",
                    "EVENTFLOW_METRICS_TOKEN": TOKEN,
                },
            )
        finally:
            engine.end()


@contextmanager
def _postgres(directory: Path, host: str) -> Iterator[str]:
    """One that keeps what it is given, unlike that of the other tests: nothing else is ready to serve."""
    server = postgres_in(directory / "postgres", log_path=directory / "postgres.log", durability=DURABLE)
    server.initialise()
    with server.log_path.open("ab") as log:
        process = server.start(log)
    try:
        server.wait_until_ready(process)
        with psycopg.connect(server.maintenance_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE_NAME}")
        network = FaultyNetwork(host=str(server.sockets), port=5432, listen=host)
        try:
            yield f"postgresql://{ROLE}@{host}:{network.port}/{DATABASE_NAME}"
        finally:
            network.close()
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@contextmanager
def _valkey(directory: Path, host: str) -> Iterator[str]:
    port, password = free_port(), "not-for-everybody"
    with (directory / "valkey.log").open("wb") as log:
        server = subprocess.Popen(
            [find_program(), "--bind", host, "--port", str(port), "--requirepass", password, "--save", ""],
            cwd=directory,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for("Valkey", lambda: is_listening(port, host) or server.poll() is not None)
        assert server.poll() is None, (directory / "valkey.log").read_text()
        yield f"redis://:{password}@{host}:{port}"
    finally:
        server.terminate()
        server.wait(10)
