"""What came of a run of pip-audit, which exits with 1 for an advisory and for a network that is away alike."""

import json
import re
from dataclasses import dataclass
from typing import Any

FINE, FOUND, BROKEN = 0, 1, 2
# Its own words, those of the library that it asks with, and a gateway's answers.
_UNREACHABLE = re.compile(
    r"Could not connect to|is not redirecting properly|(Connection|Proxy|SSL)Error|(Connect|Read)?Timeout\b|timed out"
    r"|\b(403|407|429|5\d\d) (Client|Server) Error"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to say, and what to exit with."""

    exit_code: int
    lines: list[str]


def outcome_of(*, output: str, errors: str) -> Outcome:
    """Judge a run by what it wrote: JSON to standard output unless it broke off."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _broken_off(errors)
    # It takes an index that has no advisories for one that does not have the package, and calls that fine.
    asked = [package for package in packages if "skip_reason" not in package]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if not asked:
        return Outcome(FINE, ["not checked: the database of advisories knows none of these packages"])
    found = [_told(package, advisory) for package in asked for advisory in package["vulns"]]
    lines = [*found, f"{len(asked)} packages checked, {len(found)} advisories"]
    if skipped:
        lines.append(f"not checked: {', '.join(sorted(skipped))}")
    return Outcome(FOUND if found else FINE, lines)


def _broken_off(errors: str) -> Outcome:
    last = (errors.strip().splitlines() or ["it gave no reason"])[-1]
    if _UNREACHABLE.search(errors):
        return Outcome(FINE, ["not checked: the database of advisories cannot be reached"])
    return Outcome(BROKEN, [f"pip-audit broke off: {last}"])


def _told(package: dict[str, Any], advisory: dict[str, Any]) -> str:
    names = ", ".join([advisory["id"], *advisory.get("aliases", [])])
    mended = ", ".join(advisory.get("fix_versions", [])) or "no version yet"
    return f"{package['name']} {package['version']}: {names}; mended in {mended}"
