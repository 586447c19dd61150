"""Where settings come from: the environment first, then the files of a running `manage.py up`.

`up` keeps generated secrets in `$EVENTFLOW_HOME/secrets.env` and, while it runs, the addresses of its
embedded servers in `$EVENTFLOW_HOME/run.env`, so that any other command finds the same servers.
"""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

HOME = Path(env.str("EVENTFLOW_HOME", default=str(BASE_DIR / "var"))).resolve()


def read_home(home: Path) -> None:
    """Load the files of `home` into the environment; what is already set there wins."""
    for name in ("run.env", "secrets.env"):
        if (home / name).is_file():
            environ.Env.read_env(home / name)


read_home(HOME)
