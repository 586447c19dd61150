"""What is built has all that is read at run time, and nothing that is the repository's own."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from eventflow_site.command_line.subcommands import GROUP, OWN
from eventflow_site.layout import PACKAGES
from tests.conventions.source import APPS
from tests.packaging.building import PYPROJECT, VERSION, Built
from tests.run.instance import PROJECT

INFO = f"eventflow-{VERSION}.dist-info"


def tracked(*places: str) -> set[str]:
    try:
        listing = subprocess.run(["git", "ls-files", "-z", "--", *places], cwd=PROJECT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return {name for name in listing.stdout.decode().split("\0") if name and (PROJECT / name).is_file()}


def in_the_wheel(name: str) -> str:
    return re.sub("^templates/", "eventflow_site/templates/", name)


def wheel_of(project: Path) -> set[str]:
    """The files that a wheel of `project` would have, as the build lists them."""
    return {file.distribution_path for file in WheelBuilder(str(project)).recurse_included_files()}


def test_every_file_that_git_tracks_in_the_packages_is_in_the_wheel():
    expected = {in_the_wheel(name) for name in tracked(*PACKAGES, "templates")}
    assert len(expected) > 800
    assert expected - wheel_of(PROJECT) == set()


def test_nothing_else_of_the_repository_and_nothing_hidden_is_in_the_wheel(tmp_path):
    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, tmp_path)
    belongs = {"accounts/models.py", "templates/base.html", "eventflow_site/settings.py"}
    strange = {
        *(".env", "var/secrets.env", "tests/test_it.py", "benchmarks/load.py", "deploy/compose.env", "manage.py"),
        *("accounts/.env", "streams/.env.local", "templates/.hidden/page.html", "accounts/__pycache__/models.pyc"),
    }
    for name in belongs | strange:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert wheel_of(tmp_path) == {in_the_wheel(name) for name in belongs}


def test_the_packages_are_the_same_everywhere():
    assert set(PACKAGES) == set(APPS)
    assert set(PYPROJECT["tool"]["hatch"]["build"]["only-include"]) == {*PACKAGES, "templates"}
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)


def test_the_subcommands_are_those_that_other_scripts_find():
    declared = PYPROJECT["project"]["entry-points"][GROUP]
    assert declared == {name: f"{run.__module__}:{run.__qualname__}" for name, run in OWN.items()}


def test_what_builds_is_what_is_locked():
    [pinned] = PYPROJECT["build-system"]["requires"]
    for lock in ("requirements-dev.txt", "requirements-build.txt"):
        assert re.search(rf"^{re.escape(pinned)} \\$", (PROJECT / lock).read_text(), re.MULTILINE), lock


def test_the_readme_names_the_wheel_of_this_version():
    named = re.findall(r"eventflow-([0-9][\w.]*?)-py3", (PROJECT / "README.md").read_text())
    assert set(named) == {VERSION}


# --- the files themselves ---


@pytest.mark.processes
@pytest.mark.slow("builds an sdist, and a wheel from it")
def test_the_sdist_is_enough_to_build_the_wheel(built: Built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read(f"{INFO}/METADATA"))
        entry_points = wheel.read(f"{INFO}/entry_points.txt").decode()
    assert {name for name in names if not name.startswith(INFO)} == wheel_of(PROJECT)
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, INFO}
    assert f"{INFO}/licenses/LICENSE" in names
    assert {"embedded", "tracing", "sentry"} <= set(metadata.get_all("Provides-Extra", []))
    assert "eventflow = eventflow_site.command_line.entry:main" in entry_points


@pytest.mark.processes
@pytest.mark.slow("builds an sdist, and a wheel from it")
def test_the_sdist_has_the_packages_and_what_they_are_built_with(built: Built):
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert tracked(*PACKAGES, "templates", "manage.py", "pyproject.toml", "README.md", "LICENSE") <= names
    beside = {name.partition("/")[0] for name in names} - {*PACKAGES, "templates"}
    assert beside == {
        *("pyproject.toml", "PKG-INFO", ".gitignore", "manage.py"),
        *("README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"),
        *("requirements.txt", "requirements-embedded.txt", "requirements-extras.txt"),
    }


@pytest.mark.processes
@pytest.mark.slow("builds the wheel twice")
def test_the_same_source_makes_the_same_wheel(built: Built, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    [again] = tmp_path.glob("*.whl")
    assert again.read_bytes() == built.wheel.read_bytes()
