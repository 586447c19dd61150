"""CHANGELOG.md: which sections it has, and the one that a release gets.

`python -m tests.release.changelog` turns what is unreleased into the section of the version in pyproject.toml, dated today.
"""

import datetime as dt
import re
import sys
from dataclasses import dataclass

from tests.release.packages import PROJECT, packages

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """`date` is None where the heading has none; `text` is what stands under the heading."""

    name: str
    date: str | None
    text: str


def sections(changelog: str) -> list[Section]:
    """Newest first, as they stand there."""
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    return [
        Section(heading["name"], heading["date"], changelog[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    ]


def is_cut(changelog: str, version: str) -> bool:
    """Whether the version has its section, so that it can be released."""
    return any(section.name == version for section in sections(changelog))


def complaints(changelog: str, version: str, *, today: dt.date) -> list[str]:
    """What is wrong with it, for a version that is released now or with the next step."""
    found = sections(changelog)
    names = [section.name for section in found]
    said = [f"CHANGELOG.md has {names.count(name)} sections {name}" for name in set(names) if names.count(name) > 1]
    if names[:1] != [UNRELEASED]:
        said.append(f"CHANGELOG.md does not begin with a section [{UNRELEASED}], where changes go")
        return said
    if not is_cut(changelog, version):
        return said if found[0].text else [*said, f"CHANGELOG.md tells nothing of {version}: [{UNRELEASED}] is empty"]
    if names[1] != version:
        said.append(
            f"pyproject.toml says {version}, but the newest section of CHANGELOG.md is {names[1]}: raise the version"
        )
    if found[0].text:
        said.append(
            f"CHANGELOG.md has changes under [{UNRELEASED}] that are in no version: raise it, or move them to {version}"
        )
    return said + [complaint for section in found[1:] for complaint in _of_a_section(section, today)]


def _of_a_section(section: Section, today: dt.date) -> list[str]:
    try:
        date = dt.date.fromisoformat(section.date or "")
    except ValueError:
        return [f"CHANGELOG.md: [{section.name}] wants a date after it, as in `## [{section.name}] - {today}`"]
    if date > today:
        return [f"CHANGELOG.md: [{section.name}] is dated {date}, which is to come"]
    return [] if section.text else [f"CHANGELOG.md: [{section.name}] says nothing"]


def cut(changelog: str, version: str, *, today: dt.date) -> str:
    """The changelog with what was unreleased as the section of the version, and nothing unreleased.

    Raises:
        ValueError: the version has its section already, or nothing is unreleased.
    """
    if is_cut(changelog, version):
        raise ValueError(f"{version} has its section already: raise the version in pyproject.toml first")
    if said := complaints(changelog, version, today=today):
        raise ValueError("; ".join(said))
    return changelog.replace(f"## [{UNRELEASED}]\n", f"## [{UNRELEASED}]\n\n## [{version}] - {today}\n", 1)


def notes(changelog: str, version: str) -> str:
    """What a release of the version says of itself: its section, or what will become it."""
    wanted = version if is_cut(changelog, version) else UNRELEASED
    return next(section.text for section in sections(changelog) if section.name == wanted)


def main() -> int:
    path = PROJECT / "CHANGELOG.md"
    version = packages()[0].version
    try:
        path.write_text(cut(path.read_text(), version, today=dt.datetime.now(dt.UTC).date()))
    except ValueError as error:
        print(error)
        return 1
    print(f"CHANGELOG.md has a section of {version} now. Read it, and take out what says that there is no release yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
