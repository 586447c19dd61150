"""A subcommand from its words to its exit code: every error becomes a line and a number."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..errors import EventFlowError, NoAnswer, NotInTime, Problem
from . import exit_codes
from .output import safe
from .parsing import Options, Parser
from .wrong_use import NoCredential, WrongUse

# Each has options of its own beside those that all have.
Act = Callable[[Any], int]


def run(words: Sequence[str], parser: Parser, act: Act) -> int:
    """Parse the words and act by them; returns the exit code."""
    _open_what_is_closed()
    _escape_what_cannot_be_said()
    options = parser.parse_args([_as_text(word) for word in words], Options())
    try:
        code = act(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough; what is buffered must not be tried again when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.PIPE_CLOSED
    except UnicodeEncodeError:
        _tell(WrongUse("What was typed has bytes that are no UTF-8."), options, parser.prog)
        return exit_codes.WRONG_USE
    except (EventFlowError, WrongUse, OSError) as error:
        _tell(error, options, parser.prog)
        return code_of(error)


def _open_what_is_closed() -> None:
    """Let a program that was started without standard input or outputs (`<&-`) read nothing, and write to nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - it stays open


def _as_text(word: str) -> str:
    """Return a word in UTF-8 as what it says, also where the locale knows no more than ASCII."""
    try:
        return word.encode(errors="surrogateescape").decode()
    except UnicodeError:
        return word


def _escape_what_cannot_be_said() -> None:
    """Write letters that the encoding of a terminal or pipe does not have as escapes, instead of failing over them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def code_of(error: Exception) -> int:
    """Return the exit code that says what an error means for whoever would try again."""
    if isinstance(error, NoCredential):
        return exit_codes.NOT_ALLOWED
    if isinstance(error, WrongUse):
        return exit_codes.WRONG_USE
    if isinstance(error, EventFlowError) and error.may_be_stored:
        return exit_codes.UNKNOWN
    if isinstance(error, Problem):
        if error.status in (401, 403):
            return exit_codes.NOT_ALLOWED
        if error.status in (404, 410):
            return exit_codes.NOT_THERE
        return exit_codes.NO_ANSWER if error.is_retryable else exit_codes.FAILED
    return exit_codes.NO_ANSWER if isinstance(error, NoAnswer | NotInTime) else exit_codes.FAILED


def _tell(error: Exception, options: Options, program: str) -> None:
    if options.json:
        sys.stderr.write(msgspec.json.encode(_as_json(error)).decode() + "\n")
        return
    if isinstance(error, Problem) and error.code == "unexpected_answer":
        text = (
            f"An answer that is not EventFlow's ({error.status}): {error.detail!r}. Is the address right, and what is "
            "in front of it? `eventflow doctor` looks."
        )
    else:
        text = str(error)
    lines = [safe(line) for line in text.split("\n")]
    if isinstance(error, EventFlowError) and error.may_be_stored:
        lines.append("Nobody knows whether it was done: look before you do it again.")
    sys.stderr.write(f"{program}: " + "\n".join(lines) + "\n")


def _as_json(error: Exception) -> dict[str, object]:
    told: dict[str, object] = {"error": type(error).__name__, "detail": str(error)}
    if isinstance(error, Problem):
        told = {
            "error": error.code,
            "detail": error.detail,
            "status": error.status,
            "request_id": error.request_id,
            "errors": [each._asdict() for each in error.errors],
        }
    return told | {"may_be_done": getattr(error, "may_be_stored", False)}
