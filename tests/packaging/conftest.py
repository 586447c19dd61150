import os
import uuid
from pathlib import Path

import pytest

from tests.packaging.building import Built, build


def new_place() -> Path:
    """A directory inside this run's own, which is removed with everything in it."""
    place = Path(os.environ["EVENTFLOW_HOME"]) / f"packaging-{uuid.uuid4().hex[:8]}"
    place.mkdir()
    return place


@pytest.fixture(scope="package")
def built() -> Built:
    return build(new_place())
