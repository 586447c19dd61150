"""What is in the files that are published: sources that git has, and nothing of the machine that built them."""

import hashlib
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

# What the builder adds to an sdist.
_ADDED = {"PKG-INFO"}
# What tests packages: `eventflow_django.testing` is for the tests of others, and belongs.
_TESTS = re.compile(r"(^|/)(tests?|\.hypothesis)/|(^|/)(test_[^/]*|conftest)\.py$")
_RESIDUE = re.compile(r"(^|/)(__pycache__|\.env[^/]*|var|node_modules|\.DS_Store)(/|$)|\.(pyc|orig|rej|swp)$")


def members(archive: Path) -> dict[str, bytes]:
    """The content of each file; of an sdist without the folder that all of it lies in."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    with tarfile.open(archive) as sdist:
        return {
            name.partition("/")[2]: file.read()
            for name in sdist.getnames()
            if (file := sdist.extractfile(name)) is not None
        }


def complaints_about_sdist(
    sdist: Path, *, folder: PurePosixPath, sources: Iterable[str], machine: Iterable[str]
) -> list[str]:
    """`folder` is the package's in the project, `sources` what git has there, `machine` the paths that nobody else has."""
    files = members(sdist)
    known = set(sources)
    # What git ignores at the root holds for all packages, and the builder gives each a copy.
    strange = [name for name in files.keys() - _ADDED if str(folder / name) not in known and name not in known]
    said = [f"{sdist.name}: {name} is not among the sources" for name in sorted(strange)]
    return [*said, *_about(sdist.name, files, machine)]


def complaints_about_wheel(wheel: Path, *, sdist: Path, machine: Iterable[str]) -> list[str]:
    files = members(wheel)
    known = {digest(content) for content in members(sdist).values()}
    said = [
        f"{wheel.name}: {name} is not in the sdist"
        for name, content in sorted(files.items())
        if ".dist-info/" not in name and digest(content) not in known
    ]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in files):
        said.append(f"{wheel.name}: the licence is missing")
    return [*said, *_about(wheel.name, files, machine)]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _about(archive: str, files: dict[str, bytes], machine: Iterable[str]) -> Iterator[str]:
    for name, content in sorted(files.items()):
        if _TESTS.search(name):
            yield f"{archive}: {name} is a test"
        if _RESIDUE.search(name):
            yield f"{archive}: {name} is left over from something"
        yield from (f"{archive}: {name} names {path}" for path in machine if path.encode() in content)
