"""`make release-check`: builds all packages as they would be published, and says what speaks against it.

What it made is in dist/VERSION: wheels and sdists, a bill of materials for each package, the licences of all libraries, what the release
says of itself, and checksums. Exits with 0 if nothing is wrong, with 1 for what is, with 2 where a tool does not do its part.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tests.release import changelog, contents, libraries, versions
from tests.release.building import (
    BuildFailed,
    Built,
    build,
    copy_of_the_sources,
    sources,
    time_of_the_sources,
    uncommitted,
)
from tests.release.packages import PROJECT, Package, packages

FINE, WRONG, BROKEN = 0, 1, 2


def main() -> int:
    found = packages()
    version = found[0].version
    dist = PROJECT / "dist" / version
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            wrong = check(found, version, dist, Path(scratch))
    except (BuildFailed, libraries.CannotList) as error:
        print(error)
        return BROKEN
    for complaint in wrong:
        print(f"release: {complaint}")
    if not wrong:
        print(f"release: {_what_is_next(version)}")
    return WRONG if wrong else FINE


def check(found: list[Package], version: str, dist: Path, scratch: Path) -> list[str]:
    """Everything there is to say against a release of the packages; what was built stays in `dist`."""
    text = (PROJECT / "CHANGELOG.md").read_text()
    wrong = versions.complaints(found, PROJECT)
    wrong += changelog.complaints(text, version, today=dt.datetime.now(dt.UTC).date())
    if changelog.is_cut(text, version):
        wrong += versions.complaints_about_no_release(PROJECT)

    environment = {"SOURCE_DATE_EPOCH": time_of_the_sources()}
    built = [build(each, dist, scratch / each.name, **environment) for each in found]
    machine = [str(PROJECT), str(scratch), f"{Path.home()}/"]
    for each in built:
        _say(f"{each.wheel.name} and {each.sdist.name} are built")
        folder = PurePosixPath(each.package.folder.relative_to(PROJECT))
        wrong += contents.complaints_about_sdist(each.sdist, folder=folder, sources=sources(), machine=machine)
        wrong += contents.complaints_about_wheel(each.wheel, sdist=each.sdist, machine=machine)
    wrong += _built_again(built, scratch / "again", environment)
    wrong += _metadata(built)

    listed: dict[str, str] = {}
    for each in built:
        bill = libraries.bill_of_materials(each, built, scratch / each.package.name, **environment)
        wrong += libraries.complaints(bill, machine=machine)
        listed |= libraries.licences(bill)
        (dist / f"{each.package.name}-{version}.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
        _say(f"{each.package.name} is installed with {len(bill['components'])} libraries")
    ours = {f"{each.name} {each.version}" for each in found}
    lines = [f"{name}: {licence or 'unknown'}\n" for name, licence in sorted(listed.items()) if name not in ours]
    (dist / "LICENCES.txt").write_text("".join(lines))
    (dist / "RELEASE-NOTES.md").write_text(changelog.notes(text, version) + "\n")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(sums))
    return wrong


def _built_again(first: list[Built], scratch: Path, environment: dict[str, str]) -> list[str]:
    """Elsewhere, later, and with another order of sets: the bytes have to be the same."""
    copied, made = scratch / "sources", scratch / "made"
    copy_of_the_sources(copied)
    made.mkdir()
    wrong = []
    for each in first:
        elsewhere = replace(each.package, folder=copied / each.package.folder.relative_to(PROJECT))
        again = build(
            elsewhere, made, scratch / each.package.name, **environment, PYTHONHASHSEED="1", TZ="Pacific/Apia"
        )
        wrong += [
            f"{one.name} is another when it is built again"
            for one, other in zip(each.files, again.files, strict=True)
            if one.read_bytes() != other.read_bytes()
        ]
    if not wrong:
        _say("built again elsewhere, they are the same")
    return wrong


def _metadata(built: list[Built]) -> list[str]:
    """Whether a package registry would take it, and could show its README."""
    command = [os.environ.get("TWINE", "twine"), "check", "--strict"]
    command += [str(path) for each in built for path in each.files]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "NO_COLOR": "1"}
        )
    except FileNotFoundError as error:
        raise libraries.CannotList(f"There is no {command[0]} here; `make release-check` installs it.") from error
    if done.returncode == 0:
        _say("their descriptions and READMEs are in order")
        return []
    return [f"twine check: {line}" for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def _what_is_next(version: str) -> str:
    if uncommitted():
        return f"nothing speaks against {version}, but there is something that is not committed"
    if not changelog.is_cut((PROJECT / "CHANGELOG.md").read_text(), version):
        return f"nothing speaks against {version}; its section of the changelog comes next: make release-notes"
    return f"{version} is fit to be released: dist/{version}"


def _say(what: str) -> None:
    print(f"release: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
