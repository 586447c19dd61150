"""The server's own subcommands."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def up(arguments: Sequence[str], *, program: str = "eventflow up") -> int:
    """Start everything: PostgreSQL, Valkey, migrations, web, worker and beat. Ctrl-C stops it."""
    # Before Django: it makes what the settings need.
    from eventflow_site.supervisor.cli import main

    return main(arguments, program=program)


def manage(arguments: Sequence[str], *, program: str = "eventflow manage") -> int:
    """Run a command for operators; `eventflow manage help` lists them while EventFlow is up."""
    if arguments[:1] == ["up"]:
        return up(arguments[1:], program=f"{Path(program).name} up")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line([program, *arguments])
    except ImproperlyConfigured as error:
        # It says which variable is missing or of no use; where in our code that was found helps nobody.
        if "--traceback" in arguments:
            raise
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
