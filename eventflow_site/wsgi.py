"""The WSGI entry point that granian's workers load."""

import os

from eventflow_site.embedded.process import die_with_parent
from eventflow_site.many_threads import collect_less_garbage, spread_sleeping_threads

# granian's workers would outlive a main process that is killed, and keep the port.
die_with_parent()
spread_sleeping_threads()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

from collections.abc import Iterable  # noqa: E402
from typing import Any  # noqa: E402

from django.core.wsgi import get_wsgi_application  # noqa: E402

_django = get_wsgi_application()

# Only once Django is set up: its views need the models.
from eventflow_site.hot_lane import HotLane  # noqa: E402

_hot_lane = HotLane()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with a Content-Length where the whole body is there; what streams goes on in chunks.

    granian sends what is not a list in chunks, one call each: an eighth of a small answer's cost.
    """
    hot = _hot_lane(environ, start_response)
    if hot is not None:
        return hot
    response: Any = _django(environ, start_response)
    # A static file comes as a bare wrapper around the open file.
    if getattr(response, "streaming", True):
        return response
    body = [response.content]
    response.close()
    return body


from eventflow_site.stop_signal import call_at_stop  # noqa: E402
from streams.stopping import stop_waiting  # noqa: E402

call_at_stop(stop_waiting)

# The last thing: all that the worker needs is loaded.
collect_less_garbage()
