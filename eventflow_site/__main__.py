"""`python -m eventflow_site`: the command `eventflow`, in a checkout too, and whoever else brings one so called."""

import sys

from eventflow_site.command_line.entry import main

sys.exit(main())
