"""The tests of `inside`, each file in the process of an application with its own settings, beside a real server."""

import sys
from pathlib import Path

import pytest
from application import DJANGO, SHOP

pytestmark = pytest.mark.processes
INSIDE = Path(__file__).resolve().parent / "inside"
FILES = sorted([*INSIDE.glob("test_*.py"), *(SHOP / "tests").glob("test_*.py")])


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(DJANGO))) for path in FILES])
def test_in_an_application(shop, path):
    told = shop.python("-m", "pytest", "-c", str(INSIDE / "pytest.ini"), "-p", "no:cacheprovider", str(path))
    # A file whose tests are left out would be taken for one that holds.
    assert " passed" in told
    assert "skipped" not in told, told


def test_there_are_some():
    assert len(FILES) > 5
    assert sys.executable
