"""What is released: the server at the root, and what lies in `clients`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
# For whoever works on it; nobody installs them to run it.
EXTRAS_OF_DEVELOPERS = {"dev", "fuzz"}


@dataclass(frozen=True)
class Package:
    """A folder with a pyproject.toml that says what is built of it."""

    folder: Path
    pyproject: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.pyproject["project"]["name"])

    @property
    def version(self) -> str:
        return str(self.pyproject["project"]["version"])

    @property
    def extras(self) -> list[str]:
        """What can be installed with it to run."""
        return sorted(self.pyproject["project"].get("optional-dependencies", {}).keys() - EXTRAS_OF_DEVELOPERS)

    @property
    def requirements(self) -> list[str]:
        """What it is installed with, its extras included, as in the pyproject.toml."""
        project = self.pyproject["project"]
        optional = project.get("optional-dependencies", {})
        return [*project.get("dependencies", []), *(each for extra in self.extras for each in optional[extra])]

    @property
    def built_with(self) -> list[str]:
        return [str(each) for each in self.pyproject["build-system"]["requires"]]


def packages(project: Path = PROJECT) -> list[Package]:
    """All of them, the server first."""
    found = [project / "pyproject.toml", *sorted(project.glob("clients/*/pyproject.toml"))]
    return [Package(path.parent, tomllib.loads(path.read_text())) for path in found]
