"""Old and new processes on one database, in the order of docs/upgrading.md: migrate, web servers, workers."""

import subprocess
import sys
from dataclasses import dataclass

from eventflow_site.supervisor.home import read_env_file
from tests.run.instance import PROJECT, Instance, clean_environment
from tests.upgrading.filled import GROUP, Filled
from tests.upgrading.person import Person
from tests.web_server import WebServer

STORED_SIDE_BY_SIDE = 20


@dataclass(frozen=True)
class SideBySide:
    """What each saw of the other."""

    from_old_at_new: list[int]
    from_new_at_old: list[int]
    leased_at_old_acked_at_new: int
    leased_at_new_acked_at_old: int
    group_made_at_old: str


def serve_side_by_side(old: Instance, before: Filled) -> SideBySide:
    """Migrate while the old web server and worker go on, and serve beside them with a new web server.

    The new one makes use of nothing that the old one does not know: an upgrade is not over before the old one has gone.
    """
    settings = read_env_file(old.home / "run.env")
    migrated = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=PROJECT,
        env=clean_environment(**settings, EVENTFLOW_HOME=str(old.home)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert migrated.returncode == 0, migrated.stderr
    with WebServer(workers=1, **settings) as web:
        at_old, at_new = Person(old.url, key=before.key), Person(web.url, key=before.key)
        from_old: list[int] = []
        from_new: list[int] = []
        for number in range(STORED_SIDE_BY_SIDE // 2):
            at_old.append({"from": "old", "n": number})
            at_new.append({"from": "new", "n": number})
        for partition, already in enumerate(before.events):
            after = already[-1]["offset"]
            from_old += [
                e["payload"]["n"]
                for e in at_new.events(partition=partition, after=after)
                if e["payload"]["from"] == "old"
            ]
            from_new += [
                e["payload"]["n"]
                for e in at_old.events(partition=partition, after=after)
                if e["payload"]["from"] == "new"
            ]

        [of_old], [of_new] = at_old.lease("workers", 5), at_new.lease("workers", 5)
        at_new.ack("workers", [of_old])
        at_old.ack("workers", [of_new])

        at_old.ask("POST", "/streams/orders/consumer-groups", {"name": "made-at-old", **GROUP})
        at_old.ack("made-at-old", at_old.lease("made-at-old", 5))
        return SideBySide(
            from_old_at_new=from_old,
            from_new_at_old=from_new,
            leased_at_old_acked_at_new=len(of_old["events"]),
            leased_at_new_acked_at_old=len(of_new["events"]),
            group_made_at_old="made-at-old",
        )
