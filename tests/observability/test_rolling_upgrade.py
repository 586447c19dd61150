"""An upgrade as docs/operations.md says it: two web servers behind the real nginx, one restarted after the other."""

import http.client
import json
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from streams.models import Partition
from tests.factories import make_key, make_owner, make_stream
from tests.run.instance import PROJECT, free_port, is_listening, wait_for
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

CLIENTS = 4


def own_configuration(directory: Path, port: int, servers: tuple[WebServer, WebServer]) -> Path:
    """The site of deploy/nginx with ports of the test's own, and without TLS."""
    site = (PROJECT / "deploy" / "nginx" / "eventflow.conf").read_text()
    for number, server in zip((8001, 8002), servers, strict=True):
        assert f"127.0.0.1:{number}" in site
        site = site.replace(f"127.0.0.1:{number}", f"127.0.0.1:{server.port}")
    upstream, _, rest = site.partition("server {\n    listen 80;")
    secure = "server {" + rest.split("server {", 1)[1]
    lines = [line for line in secure.splitlines() if not line.strip().startswith(("ssl_", "listen [::]", "listen 443"))]
    lines.insert(1, f"    listen 127.0.0.1:{port};")
    path = directory / "nginx.conf"
    path.write_text(
        f"pid {directory}/pid; error_log {directory}/error.log; daemon off; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n"
        f"fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;\n"
        f"{upstream}\n" + "\n".join(lines) + "\n}\n"
    )
    return path


def test_appends_go_on_while_one_server_restarts_after_the_other(tmp_path):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
    owner = make_owner()
    make_stream("orders", owner=owner)
    headers = {"X-API-Key": make_key(owner), "Content-Type": "application/json"}
    first, second = WebServer(EVENTFLOW_TRUSTED_PROXIES="1"), WebServer(EVENTFLOW_TRUSTED_PROXIES="1")
    stored: list[int] = []
    others: list[object] = []
    done = threading.Event()

    def append(number: int, port: int) -> None:
        attempt = 0
        while not done.is_set():
            attempt += 1
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                key = {"Idempotency-Key": f"{number}-{attempt}"}
                client.request("POST", "/api/v1/events", '{"stream":"orders","payload":1}', headers | key)
                answer = client.getresponse()
                body = answer.read()
                (stored.append(json.loads(body)["offset"]) if answer.status == 202 else others.append(answer.status))
            except (OSError, http.client.HTTPException) as error:
                others.append(type(error).__name__)
            finally:
                client.close()

    def more_is_stored() -> None:
        enough = len(stored) + 100
        wait_for("load", lambda: len(stored) > enough)

    with first, second:
        port = free_port()
        process = subprocess.Popen([nginx, "-c", own_configuration(tmp_path, port, (first, second)), "-p", tmp_path])
        threads = [threading.Thread(target=append, args=(number, port)) for number in range(CLIENTS)]
        try:
            wait_for("nginx", lambda: is_listening(port))
            for thread in threads:
                thread.start()
            for server in (first, second):
                more_is_stored()
                server.process.terminate()
                server.process.wait(30)
                time.sleep(0.5)
                server.process = server.child.start()
                wait_for("the server again", server.answers)
            more_is_stored()
        finally:
            done.set()
            for thread in threads:
                thread.join(40)
            process.terminate()
            process.wait(30)

    assert len(stored) > 300
    # A POST that met its kept-alive connection closing is not sent twice: 502, at most once a client and restart.
    assert set(others) <= {502}
    assert len(others) <= 2 * CLIENTS
    head = Partition.objects.get(stream__name="orders").head_offset
    assert len(set(stored)) == len(stored) <= head <= len(stored) + len(others)
