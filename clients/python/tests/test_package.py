"""The package by itself: what is in it, and what it needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes
PYTHON = Path(__file__).resolve().parents[1]


def test_the_wheel_has_all_of_the_package_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=PYTHON,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = PYTHON / "src"
    wanted = {
        str(path.relative_to(source))
        for path in (source / "eventflow_client").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("/METADATA"))).decode()
    needs = {
        line.removeprefix("Requires-Dist: ").split("<")[0].split(">")[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist")
    }
    assert needs == {"httpx", "msgspec"}


def test_it_imports_nothing_of_the_server():
    words = "import sys, eventflow_client; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    environment = {"PYTHONPATH": str(PYTHON / "src")}
    done = subprocess.run(
        [sys.executable, "-c", words], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"eventflow_client", "httpx", "msgspec"} <= loaded
    assert loaded & {"django", "accounts", "streams", "consumers", "observability", "eventflow_site", "orjson"} == set()
