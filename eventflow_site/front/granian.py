"""`python -m eventflow_site.front.granian`, then granian's own options: granian, whose workers share the application.

granian forks its workers, and each would load the application for itself. Here it is loaded before the first of them
is forked: what nobody changes is in memory once, however many workers there are, and a worker that is brought back
answers at once. Where processes are not forked (macOS) each loads it, as with granian alone (docs/adr/0050).
"""

import gc
import os
import sys
import traceback
from importlib import import_module

from granian.cli import entrypoint

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")


def load_application() -> None:
    """Load the code that answers, and make nothing: no thread and no connection would live on in a worker."""
    # What is freed while all this is loaded leaves holes, which would be filled, and so copied, in each worker.
    gc.disable()
    import_module("eventflow_site.front.rsgi")
    settings = import_module("django.conf").settings
    for name in (settings.ROOT_URLCONF, *(name.rpartition(".")[0] for name in settings.MIDDLEWARE)):
        import_module(name)
    # A collection in a worker would write to every object, and so copy all of them.
    gc.freeze()
    gc.enable()


def main() -> None:
    """Serve until asked to stop.

    The exit code is `os.EX_CONFIG` where the application cannot even be loaded: another try would come to the same.
    """
    try:
        load_application()
    except Exception:  # noqa: BLE001 - whatever it is, the traceback says it
        traceback.print_exc()
        sys.exit(os.EX_CONFIG)
    entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
