"""Where `eventflow` begins, if this package's script was installed last."""

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from . import exit_codes
from .subcommands import SERVER, NoSuchCommand, find, list_subcommands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that `arguments` (by default what was typed) begin with; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    name = words[0] if words else "help"
    if name in ("help", "--help", "-h"):
        sys.stdout.write(_overview())
        return exit_codes.DONE
    if name in ("--version", "-V"):
        sys.stdout.write(_versions())
        return exit_codes.DONE
    try:
        run = find(name)
    except NoSuchCommand as missing:
        sys.stderr.write(f"{missing}\n")
        return exit_codes.WRONG_USE
    return run(words[1:])


def _overview() -> str:
    listed = list(list_subcommands())
    width = max(len(each.name) for each in listed)
    lines = "\n".join(f"  {each.name:<{width}}  {each.summary}" for each in listed)
    return f"""EventFlow: durable, ordered, replayable event streams over HTTP.

Usage: eventflow COMMAND …

{lines}

Each says more with --help. `eventflow --version` says which versions these are.
"""


def _versions() -> str:
    told = []
    for package in (SERVER, "eventflow-client"):
        try:
            told.append(f"{package} {version(package)}\n")
        except PackageNotFoundError:
            continue
    return "".join(told) or "eventflow-client, not installed\n"
