"""Which subcommands `eventflow` has here: those of this package, of the server's, and of whoever else brings some."""

import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

GROUP: Final = "eventflow.commands"
SERVER: Final = "eventflow"
# The server's own names, which no other package takes.
OF_THE_SERVER: Final = ("up", "manage")
# Takes the words after the subcommand and returns the exit code.
Run = Callable[[Sequence[str]], int]

_COMMANDS: Final = "eventflow_client.terminal.commands"
# As in pyproject.toml: for where the package is on the path without being installed.
OWN: Final = {
    "login": f"{_COMMANDS}.login:login",
    "logout": f"{_COMMANDS}.logout:logout",
    "profiles": f"{_COMMANDS}.profiles:profiles",
    "produce": f"{_COMMANDS}.produce:produce",
    "tail": f"{_COMMANDS}.tail:tail",
    "lag": f"{_COMMANDS}.lag:lag",
    "groups": f"{_COMMANDS}.groups:groups",
    "seek": f"{_COMMANDS}.seek:seek",
    "dead-letters": f"{_COMMANDS}.dead_letters:dead_letters",
    "streams": f"{_COMMANDS}.streams:streams",
    "keys": f"{_COMMANDS}.keys:keys",
    "doctor": f"{_COMMANDS}.doctor:doctor",
    "bench": f"{_COMMANDS}.bench:bench",
    "completion": f"{_COMMANDS}.completion:completion",
}


class NoSuchCommand(Exception):
    """Nothing here answers to the name; the text says what to do."""


class Listed(NamedTuple):
    """A subcommand, in the list of them."""

    name: str
    summary: str


def find(name: str) -> Run:
    """Return the subcommand of that name.

    Raises:
        NoSuchCommand: there is none, several packages bring one, or it cannot be loaded.
    """
    found = _points(name)
    if not found:
        if name in OF_THE_SERVER:
            raise NoSuchCommand(
                f"`eventflow {name}` comes with {SERVER}, which is not installed here: pip install {SERVER}"
            )
        raise NoSuchCommand(f"There is no `eventflow {name}`. `eventflow` alone says what there is.")
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
    """Yield all that are here: this package's first, in the order in which they are needed."""
    theirs = {point.name for point in importlib.metadata.entry_points(group=GROUP)} - OWN.keys()
    for name in (*OWN, *sorted(theirs)):
        try:
            yield Listed(name, (inspect.getdoc(find(name)) or "").partition("\n")[0])
        except NoSuchCommand as error:
            yield Listed(name, str(error))


def _points(name: str) -> Sequence[importlib.metadata.EntryPoint]:
    found = list(importlib.metadata.entry_points(group=GROUP, name=name))
    if name in OF_THE_SERVER:
        return [point for point in found if _package_of(point) == SERVER]
    if name in OWN and not any(point.value == OWN[name] for point in found):
        found.append(importlib.metadata.EntryPoint(name, OWN[name], GROUP))
    # A package that is installed in two places on the path is one.
    return list({(point.value, _package_of(point)): point for point in found}.values())


def _load(point: importlib.metadata.EntryPoint) -> Run:
    run: Run = point.load()
    return run


def _package_of(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "eventflow-client"
