"""Every place that names the version names the same."""

import re
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from tests.release.packages import Package

# A wheel's file name, and the image's tag.
_NAMED = re.compile(r"\beventflow(?:_\w+)?(?:-|:)(\d+\.\d+\.\d+\w*)(?=-py3|\.tar\.gz|[\s'\"`,]|$)")


def complaints(packages: Sequence[Package], project: Path) -> list[str]:
    version = packages[0].version
    said = [
        f"{each.name} has the version {each.version}, {packages[0].name} has {version}"
        for each in packages
        if each.version != version
    ]
    said += [
        f"{path.relative_to(project)} names {named}, pyproject.toml says {version}"
        for path in documents(project)
        for named in sorted(set(_NAMED.findall(path.read_text())))
        if named != version
    ]
    ours = {each.name: each.version for each in packages}
    for each in packages:
        for wanted in map(Requirement, each.requirements):
            if wanted.name in ours and not wanted.specifier.contains(ours[wanted.name], prereleases=True):
                said.append(f"{each.name} wants {wanted}, which {ours[wanted.name]} is not")
    return said


def documents(project: Path) -> list[Path]:
    """Where a reader is told which version to take."""
    places = ["README.md", "clients/*/README.md", "docs/**/*.md", "deploy/**/*.yaml", "deploy/*.example"]
    return sorted({path for place in places for path in project.glob(place)})


# What has to be taken out of the documents with the first release, and is found nowhere afterwards.
_NO_RELEASE = re.compile(r"no release yet|will be the first|^Becomes \d", re.MULTILINE | re.IGNORECASE)


def complaints_about_no_release(project: Path) -> list[str]:
    """Documents that say there is no release, once there is one."""
    places = [project / "CHANGELOG.md", project / "SECURITY.md", *documents(project)]
    return [
        f"{path.relative_to(project)} says that there is no release: “{said[0]}”"
        for path in places
        if (said := _NO_RELEASE.search(path.read_text()))
    ]
