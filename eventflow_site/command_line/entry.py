"""Where `eventflow` begins."""

import sys
from collections.abc import Sequence

from eventflow_site.command_line.subcommands import CLIENT, NoSuchCommand, find, find_version, list_subcommands
from eventflow_site.version import version

# As argparse answers what was typed wrongly.
_WRONG_USE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that `arguments` (by default what was typed) begin with; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    name = words[0] if words else "help"
    if name in ("help", "--help", "-h"):
        sys.stdout.write(_overview())
        return 0
    if name in ("--version", "-V"):
        sys.stdout.write(_versions())
        return 0
    try:
        run = find(name)
    except NoSuchCommand as missing:
        sys.stderr.write(f"{missing}\n")
        return _WRONG_USE
    return run(words[1:])


def _versions() -> str:
    """As the client's script says it: which of the two answers is all the same."""
    client = find_version(CLIENT)
    return f"eventflow {version()}\n" + (f"{CLIENT} {client}\n" if client else "")


def _overview() -> str:
    listed = list(list_subcommands())
    width = max(len(each.name) for each in listed)
    lines = "\n".join(f"  {each.name:<{width}}  {each.summary}" for each in listed)
    return f"""EventFlow {version()}: durable, ordered, replayable event streams over HTTP.

Usage: eventflow COMMAND …

{lines}

Each says more with --help. `eventflow --version` says which versions these are.
"""
