from collections.abc import Iterator

import pytest

from tests.containers.base import BASE, make_base
from tests.containers.engine import Engine, podman, runs_containers
from tests.containers.installation import Installation, installation, options_of
from tests.packaging.conftest import new_place

IMAGE = "localhost/eventflow:tested"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Podman, which has a base image and can run it."""
    with podman() as engine:
        archive = engine.place / "base.tar"
        make_base(archive)
        engine.ask("import", str(archive), BASE)
        archive.unlink()
        if reason := runs_containers(engine, BASE, options_of("web")):
            pytest.skip(f"needs to run containers, which cannot be done here: {reason}")
        yield engine


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    engine.build(base=BASE, tag=IMAGE)
    return IMAGE


@pytest.fixture(scope="module")
def installed(engine: Engine, image: str) -> Iterator[Installation]:
    with installation(engine, image, new_place()) as found:
        yield found
