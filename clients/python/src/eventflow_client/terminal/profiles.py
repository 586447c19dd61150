"""Profiles: where installations are and with what to ask them, under names of the user's choice."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from . import private_files
from .wrong_use import WrongUse


class Profile(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One installation and one caller: with a key, or a person's session.

    Attributes:
        refresh: of a session: gets the next access token, once.
        access, access_ends_at: the token of now, and until when it is good by this machine's clock.
    """

    url: str
    key: str | None = None
    email: str | None = None
    refresh: str | None = None
    access: str | None = None
    access_ends_at: float = 0.0


class Profiles(msgspec.Struct, kw_only=True):
    """All of them; `current` is taken where none is named."""

    current: str | None = None
    profiles: dict[str, Profile] = {}


def profiles_file() -> Path:
    """Where they are: in EVENTFLOW_CONFIG, else where the platform keeps a user's settings."""
    given = os.environ.get("EVENTFLOW_CONFIG")
    directory = Path(given).expanduser() if given else users_directory(sys.platform, os.environ)
    return directory / "profiles.json"


def users_directory(platform: str, environment: Mapping[str, str]) -> Path:
    """Return where `platform` (a value of `sys.platform`) keeps a user's settings of this program."""
    if platform == "win32" and (roaming := environment.get("APPDATA")):
        return Path(roaming) / "eventflow-client"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "eventflow-client"
    # Relative ones are void, says the specification of XDG_CONFIG_HOME.
    shared = Path(environment.get("XDG_CONFIG_HOME") or "")
    return (shared if shared.is_absolute() else Path.home() / ".config") / "eventflow-client"


def load() -> Profiles:
    """Return what is saved.

    Raises:
        WrongUse: the file cannot be read, or others may read it.
    """
    path = profiles_file()
    try:
        content = private_files.read(path)
        return Profiles() if content is None else msgspec.json.decode(content, type=Profiles)
    except private_files.ReadableByOthers as error:
        raise WrongUse(str(error)) from error
    except msgspec.DecodeError as error:
        # Not what is wrong with it in full: that could have a part of a key.
        raise WrongUse(f"{path} is not what this command wrote. Mend it, or remove it and log in again.") from error


@contextmanager
def changing() -> Iterator[Profiles]:
    """Give what is saved, and save what was made of it, while no other command does."""
    path = profiles_file()
    with private_files.alone(path):
        profiles = load()
        yield profiles
        private_files.write(path, msgspec.json.format(msgspec.json.encode(profiles), indent=2) + b"\n")


def find(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        WrongUse: there is none.
    """
    known = load().profiles
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise WrongUse(
            f"There is no profile {name!r}; there are: {names}. `eventflow login --profile {name}` makes it."
        )
    return known[name]
