"""`eventflow login`: keep a credential for the commands that follow."""

import getpass
import os
import sys
from collections.abc import Sequence

from ...access import DEFAULT_URL
from ...models import Caller
from .. import exit_codes, profiles, sessions
from ..output import Output, remark
from ..parsing import Options, Parser, make_parser
from ..plaintext import warn_of_plaintext
from ..profiles import Profile
from ..running import run
from ..server import Found, Server, base_of, check_key, first_line, read_key, retries_of
from ..wrong_use import WrongUse

DEFAULT_PROFILE = "default"


def login(words: Sequence[str]) -> int:
    """Check a key, or an e-mail address with its password, and save it as a profile."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "login",
        "Save a key, or begin a person's session with --email. Key and password are asked for, or taken from "
        "EVENTFLOW_KEY and EVENTFLOW_PASSWORD, or from standard input; never from the command line, where others on "
        "this machine could read them.",
    )
    parser.add_argument("--email", help="a person's session, which may make keys, instead of a key")
    parser.add_argument(
        "--password-stdin", action="store_true", help="the password is the first line of standard input"
    )
    return parser


class _Options(Options):
    email: str | None
    password_stdin: bool


def _act(options: _Options) -> int:
    name = options.profile or os.environ.get("EVENTFLOW_PROFILE") or DEFAULT_PROFILE
    url = base_of(options.url or os.environ.get("EVENTFLOW_API") or DEFAULT_URL)
    warn_of_plaintext(url)
    if options.email:
        profile, user = sessions.sign_in(url, options.email, _password(options), retries_of(options))
        caller = Caller(user=user)
    else:
        profile = Profile(url=url, key=_key(options))
        with Server(Found(url, profile.key), retries_of(options)) as server:
            caller = server.me()
    with profiles.changing() as saved:
        saved.profiles[name] = profile
        saved.current = name
    Output(options).done(
        f"{caller.user.email} at {url}: {_rights(caller)}. Saved as the profile {name!r}.",
        {"profile": name, "url": url, "user": caller.user, "api_key": caller.api_key},
    )
    return exit_codes.DONE


def _rights(caller: Caller) -> str:
    if caller.api_key is None:
        return f"signed in with the roles {', '.join(caller.user.roles) or 'none'}"
    where = "all streams" if caller.api_key.streams is None else ", ".join(caller.api_key.streams) or "no stream"
    return f"a key to {', '.join(caller.api_key.scopes) or 'do nothing'}, on {where}"


def _key(options: _Options) -> str:
    if options.key_stdin:
        return read_key(first_line())
    if given := os.environ.get("EVENTFLOW_KEY"):
        return check_key(given)
    return check_key(_ask("API key (evf_…, not shown): ", "EVENTFLOW_KEY or --key-stdin"))


def _password(options: _Options) -> str:
    if options.password_stdin:
        return sys.stdin.readline().removesuffix("\n")
    return os.environ.get("EVENTFLOW_PASSWORD") or _ask(
        "Password (not shown): ", "EVENTFLOW_PASSWORD or --password-stdin"
    )


def _ask(prompt: str, otherwise: str) -> str:
    if not sys.stdin.isatty():
        raise WrongUse(f"There is no terminal to ask at: give it by {otherwise}.")
    try:
        return getpass.getpass(prompt)
    except EOFError:
        remark("")
        raise WrongUse("Nothing was typed.") from None
