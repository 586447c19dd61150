"""Where the code lies, in a checkout or installed as a package, and where an installation's data goes in either.

In a wheel the templates are inside this package, in a checkout beside it. Nothing here needs Django or a setting, and
nothing depends on the working directory.
"""

import os
import sys
from pathlib import Path

# The directory that holds the packages: the checkout, or site-packages.
CODE = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "streams", "consumers", "observability", "eventflow_site")

_PACKAGED_TEMPLATES = Path(__file__).resolve().parent / "templates"
IS_INSTALLED = _PACKAGED_TEMPLATES.is_dir()
TEMPLATES = _PACKAGED_TEMPLATES if IS_INSTALLED else CODE / "templates"

# How users are told to start everything, and to run a command for operators.
START = "eventflow up" if IS_INSTALLED else "make run"
MANAGE = "eventflow manage" if IS_INSTALLED else "manage.py"

# Of a user who has no directory: what the units of systemd and the image give theirs.
_HOME_OF_NOBODY = Path("/var/lib/eventflow")


def home() -> Path:
    """EVENTFLOW_HOME, or where it is if nobody has said: the place of data, logs and secrets. It may not exist yet."""
    given = os.environ.get("EVENTFLOW_HOME")
    if given:
        return Path(given).expanduser().absolute()
    return users_home(sys.platform) if IS_INSTALLED else CODE / "var"


def users_home(platform: str) -> Path:
    """Where an installed package keeps this user's data, as is usual on `platform` (a value of `sys.platform`)."""
    try:
        user = Path.home()
    except RuntimeError:
        return _HOME_OF_NOBODY
    if platform == "darwin":
        return user / "Library" / "Application Support" / "EventFlow"
    # Relative ones are void, says the specification of XDG_DATA_HOME.
    shared = Path(os.environ.get("XDG_DATA_HOME") or "")
    return (shared if shared.is_absolute() else user / ".local" / "share") / "eventflow"
