from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventflow_site.supervisor.home import read_env_file
from tests.run.conftest import new_home
from tests.run.instance import FROM_THE_CHECKOUT, Instance
from tests.upgrading.earlier import check_out, commit_before_the_package, up
from tests.upgrading.filled import Filled, fill
from tests.upgrading.person import Person
from tests.upgrading.side_by_side import SideBySide, serve_side_by_side


@dataclass(frozen=True)
class Upgraded:
    """What there was before, what the two versions did beside each other, and the installation as of now."""

    home: Path
    before: Filled
    meanwhile: SideBySide
    now: Person


@pytest.fixture(scope="package")
def upgraded() -> Iterator[Upgraded]:
    """An installation of the commit before the package, filled over HTTP, then upgraded as docs/upgrading.md says."""
    earlier = check_out(commit_before_the_package())
    home = new_home()
    running = Instance(home, up(earlier)).wait_until_greeted()
    try:
        password = read_env_file(home / "secrets.env")["EVENTFLOW_ADMIN_PASSWORD"]
        before = fill(Person(running.url, password=password))
        meanwhile = serve_side_by_side(running, before)
        assert running.stop() == 0
        running = Instance(home, FROM_THE_CHECKOUT).wait_until_greeted()
        yield Upgraded(home, before, meanwhile, Person(running.url, password=password))
    finally:
        if running.process.poll() is None:
            running.stop()
