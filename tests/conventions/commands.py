"""Runs the shell commands of a document against a live server, in order, as a reader would."""

import os
import re
import shutil
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.handlers.wsgi import WSGIHandler

PROJECT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# What stands in the document as an example and is given by the test.
_PLACEHOLDER = re.compile(r"^export \w+=(.*…|http://127\.0\.0\.1:8000.*|admin@eventflow\.local)$", re.MULTILINE)
# Any refusal fails the script.
_PREAMBLE = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


class _ThreadedServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(application: Any = None) -> Iterator[str]:
    """Serve EventFlow, or what stands in front of it, over real HTTP; the value is the API's address."""
    with make_server("127.0.0.1", 0, application or WSGIHandler(), _ThreadedServer, _Quiet) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1"
        server.shutdown()


def commands_of(document: str) -> list[str]:
    """The blocks of a document that call the API, without its placeholders."""
    text = (PROJECT / document).read_text()
    blocks = [textwrap.dedent(f"{indent}{body}") for indent, body in _BLOCK.findall(text)]
    return [_PLACEHOLDER.sub("", block) for block in blocks if "curl" in block]


def run_commands(commands: list[str], *, cwd: Path, **variables: str) -> str:
    """Run the commands as one script and return what it printed; fail with it if any of them fails."""
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-c", _PREAMBLE + "\n".join(commands)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
