"""The WSGI entry point that granian's workers load."""

import os

from eventflow_site.embedded.process import die_with_parent

# granian's workers would outlive a main process that is killed, and keep the port.
die_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from eventflow_site.stop_signal import call_at_stop  # noqa: E402
from streams.stopping import stop_waiting  # noqa: E402

call_at_stop(stop_waiting)
