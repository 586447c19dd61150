"""`make fuzz`: schemathesis against a running instance, with the OpenAPI document as the law.

Starts an instance of its own, puts something of everything into it, and fuzzes it as its admin and as an API key.
Arguments are handed on to schemathesis: `make fuzz FUZZ_ARGS="-n 500 --seed 7"`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from tests.run.instance import PROJECT, Instance, clean_environment

HERE = Path(__file__).resolve().parent
EMAIL, PASSWORD = "admin@eventflow.local", "a-password-for-fuzzing-only"


def main() -> int:
    found = shutil.which(os.environ.get("SCHEMATHESIS", "schemathesis"))
    if found is None:
        print("There is no schemathesis here; `make fuzz` installs it.")
        return 1
    tool = Path(found).resolve()
    directory = Path(tempfile.mkdtemp(prefix="eventflow-fuzz-"))
    if os.geteuid() == 0:
        # The server's own user passes through.
        directory.chmod(0o711)
    instance = Instance(directory / "home", EVENTFLOW_ADMIN_EMAIL=EMAIL, EVENTFLOW_ADMIN_PASSWORD=PASSWORD)
    try:
        instance.wait_until_greeted()
        headers = credentials(instance)
        statuses = [fuzz(tool, instance, directory, header) for header in headers]
        # Whatever became of the demo stream, a new one works.
        name, _, value = headers[0].partition(": ")
        call(instance, "streams", {"name": "after-all-that"}, **{name: value})
        call(instance, "events", {"stream": "after-all-that", "payload": 1}, **{name: value})
        return max(statuses)
    finally:
        instance.stop()
        shutil.rmtree(directory, ignore_errors=True)


def credentials(instance: Instance) -> list[str]:
    """Prepare what there is to find; return a header for a person and one for a machine."""
    token = f"Bearer {call(instance, 'auth/login', {'email': EMAIL, 'password': PASSWORD})['access']}"
    header = {"Authorization": token}
    groups = "streams/demo/consumer-groups"
    call(instance, "streams/demo/events", [{"payload": number, "key": "k"} for number in range(20)], **header)
    call(instance, groups, {"name": "workers", "mode": "lease"}, **header)
    leased = call(instance, f"{groups}/workers/lease", {"max_events": 5}, **header)
    for delivery in leased["deliveries"]:
        item = {name: delivery[name] for name in ("delivery_id", "lease_token")}
        call(instance, f"{groups}/workers/nack", {"deliveries": [{**item, "terminal": True}]}, **header)
    for offset in (1, 2, 3):
        call(instance, f"{groups}/demo-readers/dead-letters", {"offset": offset, "error": "fuzz"}, **header)
    key = call(instance, "api-keys", {"name": "fuzz", "scopes": ["produce", "consume", "manage"]}, **header)
    return [f"Authorization: {token}", f"X-API-Key: {key['secret']}"]


def call(instance: Instance, path: str, body: Any, **headers: str) -> Any:
    request = urllib.request.Request(
        f"{instance.url}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def fuzz(tool: Path, instance: Instance, directory: Path, header: str) -> int:
    print(f"\n=== as {'an admin' if header.startswith('Authorization') else 'an API key'} ===", flush=True)
    command = [str(tool), "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{instance.url}/api/v1/openapi.json", "--header", header, *sys.argv[1:]]
    return subprocess.run(
        command, cwd=directory, env=clean_environment(PYTHONPATH=str(PROJECT)), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
