#!/usr/bin/env python
"""Django's command line for EventFlow."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
    from eventflow_site.command_line.own import manage

    sys.exit(manage(sys.argv[1:], program=sys.argv[0]))


if __name__ == "__main__":
    main()
