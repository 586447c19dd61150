"""The real nginx with the site of deploy/nginx, on ports of a test's own and without TLS."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.run.instance import PROJECT, free_port, is_listening, wait_for
from tests.web_server import WebServer


@contextmanager
def nginx_before(directory: Path, servers: tuple[WebServer, WebServer], *, without: str = "") -> Iterator[int]:
    """Start one before two web servers and give its port; the lines of the site that hold `without` are left out."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install nginx-light")
    port = free_port()
    process = subprocess.Popen([nginx, "-c", _configuration(directory, port, servers, without), "-p", directory])
    try:
        wait_for("nginx", lambda: is_listening(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _configuration(directory: Path, port: int, servers: tuple[WebServer, WebServer], without: str) -> Path:
    site = (PROJECT / "deploy" / "nginx" / "eventflow.conf").read_text()
    for number, server in zip((8001, 8002), servers, strict=True):
        assert f"127.0.0.1:{number}" in site
        site = site.replace(f"127.0.0.1:{number}", f"127.0.0.1:{server.port}")
    upstream, _, rest = site.partition("server {\n    listen 80;")
    secure = "server {" + rest.split("server {", 1)[1]
    lines = [line for line in secure.splitlines() if not line.strip().startswith(("ssl_", "listen [::]", "listen 443"))]
    if without:
        kept = [line for line in lines if without not in line]
        assert len(kept) < len(lines)
        lines = kept
    lines.insert(1, f"    listen 127.0.0.1:{port};")
    path = directory / "nginx.conf"
    path.write_text(
        f"pid {directory}/pid; error_log {directory}/error.log; daemon off; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n"
        f"fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;\n"
        f"{upstream}\n" + "\n".join(lines) + "\n}\n"
    )
    return path
