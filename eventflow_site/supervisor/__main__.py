import sys

from eventflow_site.supervisor.cli import main

sys.exit(main(sys.argv[1:]))
