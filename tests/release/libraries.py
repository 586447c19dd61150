"""What a package is installed with, in the versions of the lock files: its bill of materials, and under which licences."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.release.building import Built
from tests.release.packages import PROJECT

LOCKS = ("requirements-embedded.txt", "requirements-extras.txt")
FORMAT = "1.6"  # of CycloneDX


class CannotList(Exception):
    """A tool or a registry did not do its part; the message has its words."""


def bill_of_materials(built: Built, everything: Sequence[Built], scratch: Path, **environment: str) -> dict[str, Any]:
    """Install the wheel with its extras into an empty environment, and list what came, in CycloneDX's form.

    Raises:
        CannotList
    """
    place = scratch / "environment"
    uv = Path(sys.executable).with_name("uv")
    _run([sys.executable, "-m", "venv", "--without-pip", str(place)])
    constraints = [word for lock in LOCKS for word in ("--constraint", str(PROJECT / lock))]
    _run([str(uv), "pip", "install", "--python", str(place), *constraints, *_wanted(built, everything)])
    for note in place.rglob("*.dist-info/direct_url.json"):
        # It has the path from which our wheel was installed just now.
        note.unlink()
    tool = os.environ.get("CYCLONEDX", "cyclonedx-py")
    pyproject = ["--pyproject", str(built.package.folder / "pyproject.toml"), "--mc-type", "application"]
    form = ["--sv", FORMAT, "--output-format", "JSON", "--output-reproducible"]
    bill = dict(json.loads(_run([tool, "environment", *pyproject, *form, str(place)], **environment)))
    [libraries] = place.glob("lib/python*/site-packages")
    return with_licences_in_words(bill, libraries)


def with_licences_in_words(bill: dict[str, Any], libraries: Path) -> dict[str, Any]:
    """Add what a library says of its licence in words of its own, where it uses no list's: the tool passes over that."""
    said = {
        (each.name, each.version): (each.metadata.get_all("License") or [""])[0]
        for each in importlib.metadata.distributions(path=[str(libraries)])
    }
    for component in bill.get("components", []):
        words = said.get((component["name"], component.get("version", "")), "").strip()
        if words and not component.get("licenses"):
            component["licenses"] = [{"license": {"acknowledgement": "declared", "name": words}}]
    return bill


def licences(bill: dict[str, Any]) -> dict[str, str]:
    """By library and version, the licences of each as it says them; empty where it says none."""
    return {
        f"{component['name']} {component.get('version', '')}": " / ".join(_named(component.get("licenses", [])))
        for component in bill.get("components", [])
    }


def complaints(bill: dict[str, Any], *, machine: Sequence[str]) -> list[str]:
    name = bill["metadata"]["component"]["name"]
    said = [f"{name}: nobody knows the licence of {each}" for each, licence in licences(bill).items() if not licence]
    if not bill.get("components"):
        said.append(f"{name}: its bill of materials is empty")
    return said + [f"{name}: its bill of materials names {path}" for path in machine if path in json.dumps(bill)]


def _named(entries: list[dict[str, Any]]) -> list[str]:
    found = []
    for entry in entries:
        licence = entry.get("license", {})
        name = entry.get("expression") or licence.get("id") or licence.get("name") or ""
        if name and name.upper() != "UNKNOWN" and name not in found:
            # A library that put the whole text into its metadata: its first line says which it is.
            found.append(name.strip().splitlines()[0])
    return found


def _wanted(built: Built, everything: Sequence[Built]) -> list[str]:
    """Our own by their files: a registry may have something else of that name."""
    names = {Requirement(each).name for each in built.package.requirements}
    extras = f"[{','.join(built.package.extras)}]" if built.package.extras else ""
    ours = [each for each in everything if each.package.name in names]
    return [
        f"{built.package.name}{extras} @ {built.wheel.as_uri()}",
        *(f"{each.package.name} @ {each.wheel.as_uri()}" for each in ours),
    ]


def _run(command: list[str], **environment: str) -> str:
    try:
        done = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600
        )
    except FileNotFoundError as error:
        raise CannotList(f"There is no {command[0]} here; `make release-check` installs it.") from error
    if done.returncode:
        raise CannotList(f"{Path(command[0]).name} failed:\n{done.stderr.strip()}")
    return done.stdout
