"""`eventflow logout`: forget a credential."""

import os
from collections.abc import Sequence

from .. import exit_codes, profiles, sessions
from ..output import Output
from ..parsing import Options, Parser, make_parser
from ..running import run
from ..server import retries_of
from ..wrong_use import NoCredential


def logout(words: Sequence[str]) -> int:
    """Forget a profile, and end the session if it is a person's."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    return make_parser(
        "logout",
        "Forget the current profile, or the one that --profile names. A key goes on: `eventflow keys revoke` ends one.",
    )


def _act(options: Options) -> int:
    name = options.profile or os.environ.get("EVENTFLOW_PROFILE") or profiles.load().current
    if name is None:
        raise NoCredential("There is no profile to forget.")
    profile = profiles.find(name)
    # Forgotten first: whether the server can be reached is another matter.
    with profiles.changing() as saved:
        saved.profiles.pop(name, None)
        if saved.current == name:
            saved.current = next(iter(sorted(saved.profiles)), None)
    if profile.refresh is not None:
        sessions.sign_out(profile, retries_of(options))
    Output(options).done(f"Forgot the profile {name!r}.", {"profile": name, "current": saved.current})
    return exit_codes.DONE
