"""`eventflow doctor`: what is wrong between here and the server, and how to mend it."""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Final

import httpx

from ...access import DEFAULT_URL
from .. import exit_codes
from ..doctor.findings import Finding, Standing, wrong
from ..doctor.looking import Wanted, look, reach
from ..doctor.reaching import explain_silence
from ..doctor.rights import SCOPES
from ..output import Output, safe, write
from ..parsing import Options, Parser, make_parser, seconds, split_words
from ..running import run
from ..server import base_of, connect
from ..wrong_use import NoCredential, WrongUse

# As long as any may be.
_WAIT_SECONDS: Final = 30.0


def doctor(words: Sequence[str]) -> int:
    """Look for what is wrong between here and the server, and say how to mend it."""
    return run(words, build_parser(), _act)


def build_parser() -> Parser:
    parser = make_parser(
        "doctor",
        "Look at the server, the way to it, the clock and the credential; stores nothing and moves no group. It takes "
        "half a minute, for which a request waits on purpose. Ends with 1 if something is wrong.",
    )
    parser.add_argument("stream", metavar="STREAM", nargs="?", help="that is to be used; otherwise any")
    parser.add_argument("group", metavar="GROUP", nargs="?", help="that is to be used")
    parser.add_argument(
        "--for",
        dest="wanted",
        action="append",
        default=[],
        metavar="SCOPE",
        help=f"what the credential is to do: {', '.join(SCOPES)}; may be repeated",
    )
    parser.add_argument(
        "--wait",
        type=_up_to_30_seconds,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long a request waits, as consumers' do; 0: do not look (%(default)g)",
    )
    return parser


class _Options(Options):
    stream: str | None
    group: str | None
    wanted: list[str]
    wait: float


def _act(options: _Options) -> int:
    unknown = [scope for scope in split_words(options.wanted) if scope not in SCOPES]
    if unknown:
        raise WrongUse(f"There is no scope {unknown[0]!r}: there are {', '.join(SCOPES)}.")
    told: list[Finding] = []
    output = Output(options)
    for finding in _find(options):
        told.append(finding)
        if output.is_json:
            output.json(finding)
            continue
        write(f"{finding.standing.upper():<13}  {finding.check:<12}  {safe(finding.found)}")
        if finding.mend:
            write(f"{'':<29}→ {safe(finding.mend)}")
    return exit_codes.FAILED if any(each.standing is Standing.WRONG for each in told) else exit_codes.DONE


def _find(options: _Options) -> Iterator[Finding]:
    try:
        server = connect(options)
    except NoCredential as error:
        # Whether there is a server can be said all the same.
        yield from reach(base_of(options.url or os.environ.get("EVENTFLOW_API") or DEFAULT_URL), options.timeout)
        yield wrong("credential", str(error), "Make a key in the dashboard, or have one made for you.")
        return
    with server:
        seen = yield from reach(server.url, options.timeout)
        if seen is None:
            return
        wanted = Wanted(options.stream, options.group, split_words(options.wanted), options.wait)
        try:
            yield from look(server, wanted, options.timeout)
        except NoCredential as error:
            yield wrong("credential", str(error), "Nothing else could be looked at without it.")
        except httpx.HTTPError as error:
            yield explain_silence(server.url, error)


def _up_to_30_seconds(text: str) -> float:
    if text == "0":
        return 0.0
    number = seconds(text)
    if number > _WAIT_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text} is more than {_WAIT_SECONDS:g}, which is as long as any request waits"
        )
    return number
