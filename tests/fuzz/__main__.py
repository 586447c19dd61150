"""`make fuzz`: schemathesis against a running instance, with the OpenAPI document as the law.

Starts an instance of its own, puts something of everything into it, and fuzzes it as its admin and as an API key.
Arguments are handed on to schemathesis: `make fuzz FUZZ_ARGS="-n 500 --seed 7"`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.session import Session, call
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
        api = f"{instance.url}/api/v1"
        session = Session.begin(api, directory / "session", email=EMAIL, password=PASSWORD)
        prepare(session, "for-a-person")
        person = {"FUZZ_SESSION": session.id, "FUZZ_SESSION_FILE": str(session.file)}
        statuses = [fuzz("an admin", tool, directory, api, **person)]
        # Only now: the admin revokes what keys there are.
        prepare(session, "for-a-key")
        key = {"name": "fuzz", "scopes": ["produce", "consume", "manage"]}
        secret = call(f"{api}/api-keys", key, **session.headers())["secret"]
        statuses.append(fuzz("an API key", tool, directory, api, FUZZ_KEY=secret))
        check_that_it_works(session)
        return max(statuses)
    finally:
        instance.stop()
        shutil.rmtree(directory, ignore_errors=True)


def prepare(session: Session, stream: str) -> None:
    """Put something of everything into a stream of its own, whatever was made of all the others."""
    headers, streams = session.headers(), f"{session.api}/streams"
    call(streams, {"name": stream}, **headers)
    here, groups = f"{streams}/{stream}", f"{streams}/{stream}/consumer-groups"
    call(f"{here}/events", [{"payload": number, "key": "k"} for number in range(20)], **headers)
    call(groups, {"name": "readers"}, **headers)
    call(groups, {"name": "workers", "mode": "lease"}, **headers)
    leased = call(f"{groups}/workers/lease", {"max_events": 5}, **headers)
    for delivery in leased["deliveries"]:
        item = {name: delivery[name] for name in ("delivery_id", "lease_token")}
        call(f"{groups}/workers/nack", {"deliveries": [{**item, "terminal": True}]}, **headers)
    for offset in (1, 2, 3):
        call(f"{groups}/readers/dead-letters", {"offset": offset, "error": "fuzz"}, **headers)
    prepare_what_is_sorted(f"{here}/events", groups, headers)


def prepare_what_is_sorted(events: str, groups: str, headers: dict[str, str]) -> None:
    """Let groups have what is held up by its key, for later, expired before anybody saw it, and passed by."""
    call(groups, {"name": "keyed", "mode": "lease", "ordering": "key"}, **headers)
    call(groups, {"name": "in-order", "mode": "lease", "ordering": "partition", "max_failures": 1}, **headers)
    call(groups, {"name": "picky", "mode": "lease", "filter": {"types": ["a"], "headers": {"region": "eu"}}}, **headers)
    call(groups, {"name": "picky-readers", "filter": {"types": ["a"]}}, **headers)
    cloud_event = {"specversion": "1.0", "id": "ce", "source": "/fuzz", "type": "a", "region": "eu", "data": {"a": 1}}
    as_cloud_event = {**headers, "Content-Type": "application/cloudevents+json"}
    call(events, cloud_event, **as_cloud_event)
    timed: list[dict[str, float]] = [
        {"deliver_after": 86400},
        {"deliver_after": 1},
        {"expires_after": 0.001},
        {"expires_after": 86400},
    ]
    call(events, [{"payload": 1, "key": "k", **times} for times in timed], **headers)
    for name in ("keyed", "in-order", "picky"):
        call(f"{groups}/{name}/lease", {"max_events": 4, "consumer": "fuzz"}, **headers)


def fuzz(who: str, tool: Path, directory: Path, api: str, **credential: str) -> int:
    print(f"\n=== as {who} ===", flush=True)
    command = [str(tool), "--config-file", str(HERE / "schemathesis.toml"), "run", f"{api}/openapi.json", *sys.argv[1:]]
    environment = clean_environment(PYTHONPATH=str(PROJECT), FUZZ_API=api, **credential)
    return subprocess.run(command, cwd=directory, env=environment, check=False).returncode


def check_that_it_works(session: Session) -> None:
    """Whatever became of what there was, what is made now works.

    Raises:
        urllib.error.HTTPError: it does not.
    """
    headers = session.headers()
    call(f"{session.api}/streams", {"name": "after-all-that"}, **headers)
    call(f"{session.api}/events", {"stream": "after-all-that", "payload": 1}, **headers)


if __name__ == "__main__":
    sys.exit(main())
