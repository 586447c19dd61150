import os
import uuid
from pathlib import Path

import pytest

from tests.packaging.building import Built, build, install
from tests.packaging.installation import Installation
from tests.run.instance import PROJECT


def new_place() -> Path:
    """A directory inside this run's own, which is removed with everything in it."""
    place = Path(os.environ["EVENTFLOW_HOME"]) / f"packaging-{uuid.uuid4().hex[:8]}"
    place.mkdir()
    return place


@pytest.fixture(scope="package")
def built() -> Built:
    return build(new_place())


@pytest.fixture(scope="package")
def installed(built: Built) -> Installation:
    place = new_place()
    (place / "user").mkdir()
    (place / "client").mkdir()
    client = build(place / "client", PROJECT / "clients" / "python")
    install(built.wheel, place / "environment", client.wheel)
    return Installation(place / "environment", place / "user")
