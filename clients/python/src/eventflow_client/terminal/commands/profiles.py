"""`eventflow profiles`: which installations and callers are saved."""

from collections.abc import Sequence

from .. import exit_codes
from .. import profiles as saved_profiles
from ..output import Output
from ..parsing import Options, Parser, make_parser
from ..running import run


def profiles(words: Sequence[str]) -> int:
    """Show the saved profiles, or choose the current one."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "profiles", f"Show what is saved, or choose one. They are in {saved_profiles.profiles_file()}."
    )
    parser.add_argument("--use", metavar="NAME", help="take this one from now on where none is named")
    return parser


class _Options(Options):
    use: str | None


def _act(options: _Options) -> int:
    if options.use is not None:
        saved_profiles.find(options.use)
        with saved_profiles.changing() as changed:
            changed.current = options.use
    saved = saved_profiles.load()
    items = [
        {
            "profile": name,
            "is_current": name == saved.current,
            "url": profile.url,
            "with": "key" if profile.key else "session",
            "email": profile.email,
        }
        for name, profile in sorted(saved.profiles.items())
    ]
    Output(options).table(
        ["profile", "current", "url", "with", "email"], [list(item.values()) for item in items], items
    )
    return exit_codes.DONE
