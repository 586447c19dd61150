"""What all subcommands take, and how a wrong word is answered."""

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from . import exit_codes

DEFAULT_TIMEOUT_SECONDS: Final = 20.0
_SECRET: Final = re.compile(r"evf_[A-Za-z0-9_]+|eyJ[A-Za-z0-9._-]+", re.ASCII)

EXIT_CODES: Final = (
    "exit codes: 0 done; 1 refused or found wrong; 2 typed wrongly; 3 not allowed; 4 not there; "
    "5 no answer, nothing done; 6 nobody knows whether it was done"
)


class Options(argparse.Namespace):
    """What was typed, of the options that all subcommands have."""

    profile: str | None
    url: str | None
    key_stdin: bool
    json: bool
    timeout: float


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the exit code for what was typed wrongly; a key among the words is not repeated."""
        self.print_usage(sys.stderr)
        told = _SECRET.sub("…", message)
        if told != message:
            told += ". A key on the command line can be read by others on this machine: EVENTFLOW_KEY, or --key-stdin"
        self.exit(exit_codes.WRONG_USE, f"{self.prog}: {told}\n")


def make_parser(name: str, description: str) -> Parser:
    """Return a parser for a subcommand with what all of them take."""
    parser = Parser(prog=f"eventflow {name}", description=description, epilog=EXIT_CODES, allow_abbrev=False)
    add_common(parser)
    return parser


class Verbs:
    """A subcommand that has verbs: each takes what all subcommands take, after the verb."""

    def __init__(self, name: str, description: str) -> None:
        self.parser = Parser(prog=f"eventflow {name}", description=description, epilog=EXIT_CODES, allow_abbrev=False)
        self._verbs = self.parser.add_subparsers(metavar="VERB", required=True)

    def add(self, verb: str, does: str, act: Callable[[Any], int], *words: str) -> Parser:
        """Add a verb that takes these words in their order; returns its parser."""
        added = self._verbs.add_parser(verb, help=does, description=does, epilog=EXIT_CODES, allow_abbrev=False)
        add_common(added)
        for word in words:
            added.add_argument(word, metavar=word.upper())
        added.set_defaults(act=act)
        return added


def verbs_of(parser: Parser) -> dict[str, Parser]:
    """Return the parsers of a subcommand's verbs by their names; none if it has no verbs."""
    for action in parser._actions:  # noqa: SLF001 - argparse tells it no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            return dict(action.choices)
    return {}


def options_of(parser: Parser) -> list[str]:
    """Return what may be typed beside words: `--json`, `--type` …"""
    return [text for action in parser._actions for text in action.option_strings if text.startswith("--")]  # noqa: SLF001 - the same


def choices_of(parser: Parser) -> dict[str, list[str]]:
    """Return by option what may follow it, where that is one of a few words."""
    return {
        text: [str(choice) for choice in action.choices]
        for action in parser._actions  # noqa: SLF001 - the same
        if action.choices is not None
        for text in action.option_strings
    }


def add_common(parser: argparse.ArgumentParser) -> None:
    common = parser.add_argument_group("installation and output")
    common.add_argument(
        "--profile", metavar="NAME", help="ask with this one; otherwise EVENTFLOW_KEY, or the current one"
    )
    common.add_argument("--url", help="where the installation is; otherwise EVENTFLOW_API, or as the profile says")
    common.add_argument("--key-stdin", action="store_true", help="the key is the first line of standard input")
    common.add_argument("--json", action="store_true", help="one JSON value on each line")
    common.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long to try where nobody answers (%(default)g)",
    )


def whole_number(text: str) -> int:
    """Return a number of events or the like.

    Raises:
        argparse.ArgumentTypeError
    """
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def seconds(text: str) -> float:
    """Return a positive number of seconds.

    Raises:
        argparse.ArgumentTypeError
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0 and 86400")
    return number


def pair(text: str) -> tuple[str, str]:
    """Return the two halves of `name=value`.

    Raises:
        argparse.ArgumentTypeError
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value


def split_words(texts: Sequence[str]) -> list[str]:
    """Return what was given one by one, or several with commas between them."""
    return [word for text in texts for word in text.split(",") if word]
