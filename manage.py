#!/usr/bin/env python
"""Django's command line for EventFlow."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
    if sys.argv[1:2] == ["up"]:
        # Before Django: it makes what the settings need.
        from eventflow_site.supervisor.cli import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
