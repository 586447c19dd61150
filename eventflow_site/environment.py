"""Where settings come from: the environment first, then the files of a running `manage.py up`.

`up` keeps generated secrets in `$EVENTFLOW_HOME/secrets.env` and, while it runs, the addresses of its
embedded servers in `$EVENTFLOW_HOME/run.env`, so that any other command finds the same servers.
"""

from collections.abc import Sequence
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

HOME = Path(env.str("EVENTFLOW_HOME", default=str(BASE_DIR / "var"))).resolve()


def read_home(home: Path) -> None:
    """Load the files of `home` into the environment; what is already set there wins."""
    for name in ("run.env", "secrets.env"):
        if (home / name).is_file():
            environ.Env.read_env(home / name)


read_home(HOME)


# --- values that are checked: what is of no use stops the start, by name and with a way out --------------


def whole_number(name: str, *, default: int) -> int:
    """A whole number, 0 or more; an empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise _no_use(name, text, "a whole number, 0 or more", str(default))
    return int(text)


def seconds(name: str, *, default: float) -> float:
    """A number of seconds, 0 or more, with a fraction if need be; an empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise _no_use(name, text, "a number of seconds, 0 or more", str(default))
    return float(text)


def yes_or_no(name: str, *, default: bool) -> bool:
    """True or false: a slip of the pen must not switch a safeguard off. An empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    if text.lower() in env.BOOLEAN_TRUE_STRINGS:
        return True
    if text.lower() in ("false", "off", "n", "no", "0"):
        return False
    raise _no_use(name, text, "true or false", str(default).lower())


def one_of(name: str, choices: Sequence[str], *, default: str) -> str:
    """One of `choices`, in capitals or not; an empty value counts as not set."""
    text = env.str(name, default="") or default
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise _no_use(name, text, f"{', '.join(choices[:-1])} or {choices[-1]}", default)


def _no_use(name: str, text: str, wanted: str, default: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {text!r}. It takes {wanted}; without it, it is {default}.")
