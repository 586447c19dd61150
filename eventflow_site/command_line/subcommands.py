"""Which subcommands `eventflow` has here: its own, those of other packages, and who brings one that is missing."""

import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eventflow_site.command_line import own

GROUP = "eventflow.commands"
# Takes the words after the subcommand and returns the exit code.
Run = Callable[[Sequence[str]], int]

OWN: dict[str, Run] = {"up": own.up, "manage": own.manage}
CLIENT = "eventflow-client"
# What packages of ours bring, for whoever types it without having them.
BROUGHT_BY = {
    CLIENT: (
        "login",
        "logout",
        "profiles",
        "produce",
        "tail",
        "lag",
        "groups",
        "seek",
        "dead-letters",
        "streams",
        "keys",
        "doctor",
        "bench",
        "completion",
    )
}


class NoSuchCommand(Exception):
    """Nothing here answers to the name; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A subcommand, in the list of them."""

    name: str
    summary: str


def find(name: str) -> Run:
    """The subcommand of that name.

    Raises:
        NoSuchCommand: there is none, several packages bring one, or it cannot be loaded.
    """
    if name in OWN:
        return OWN[name]
    found = importlib.metadata.entry_points(group=GROUP, name=name)
    if not found:
        raise NoSuchCommand(_who_brings(name))
    if len(found) > 1:
        packages = " and ".join(sorted(_package_of(point) for point in found))
        raise NoSuchCommand(f"{packages} both bring `eventflow {name}`. Uninstall one of them.")
    [point] = found
    try:
        return _load(point)
    except (ImportError, AttributeError) as error:
        raise NoSuchCommand(
            f"`eventflow {name}` cannot be loaded: {error}. Install {_package_of(point)} anew."
        ) from error


def list_subcommands() -> Iterator[Listed]:
    """All that are here, the server's own first."""
    for name, run in OWN.items():
        yield Listed(name, _summary(run))
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name):
        if point.name not in OWN:
            yield Listed(point.name, _summary_of(point))


def _summary_of(point: importlib.metadata.EntryPoint) -> str:
    try:
        return _summary(_load(point))
    except (ImportError, AttributeError) as error:
        return f"cannot be loaded: {error}"


def _summary(run: Run) -> str:
    return (inspect.getdoc(run) or "").partition("\n")[0]


def _load(point: importlib.metadata.EntryPoint) -> Run:
    run: Run = point.load()
    return run


def _package_of(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"


def find_version(package: str) -> str:
    """Return which version of a package is installed here; empty: none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _who_brings(name: str) -> str:
    for package, names in BROUGHT_BY.items():
        if name not in names:
            continue
        if not (installed := find_version(package)):
            return f"`eventflow {name}` comes with {package}, which is not installed here: pip install {package}"
        return f"{package} {installed} does not bring `eventflow {name}`: pip install --upgrade {package}"
    return f"There is no `eventflow {name}`. `eventflow` alone says what there is."
