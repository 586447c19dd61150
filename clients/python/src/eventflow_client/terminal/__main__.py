"""`python -m eventflow_client.terminal`: the command where its script is missing."""

import sys

from .entry import main

sys.exit(main())
