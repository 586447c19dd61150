"""`eventflow completion`: what a shell needs to complete subcommands, verbs, options and their words."""

import importlib
import shlex
from collections.abc import Iterator, Sequence

from .. import exit_codes
from ..output import write
from ..parsing import Parser, choices_of, make_parser, options_of, verbs_of
from ..running import run
from ..subcommands import OWN, list_subcommands

_SCRIPT = """\
_eventflow() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words={names}
    else
        case "${{COMP_WORDS[1]}} $([ "$COMP_CWORD" -gt 2 ] && printf %s "${{COMP_WORDS[2]}}") $before" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _eventflow eventflow"""


def completion(words: Sequence[str]) -> int:
    """Write what bash needs to complete what is typed: `source <(eventflow completion)`."""
    return run(words, build_parser(), lambda _options: _act())


def build_parser() -> Parser:
    return make_parser(
        "completion",
        "Write a script that completes subcommands, verbs and options in bash: `source <(eventflow completion)` in "
        "~/.bashrc. zsh takes it after `autoload -U +X bashcompinit && bashcompinit`.",
    )


def _act() -> int:
    names = shlex.quote(" ".join(each.name for each in list_subcommands()))
    write(_SCRIPT.format(names=names, cases="\n".join(_cases())))
    return exit_codes.DONE


def _cases() -> Iterator[str]:
    """Yield what may follow, the most exact first, as the shell's `case` looks for it."""
    for name, where in OWN.items():
        parser: Parser = importlib.import_module(where.partition(":")[0]).build_parser()
        verbs = verbs_of(parser)
        if not verbs:
            yield from _of(f"{name} *", parser)
            continue
        for verb, of_verb in verbs.items():
            yield from _of(f"{name} {verb} *", of_verb)
        yield _case(f"{name} *", verbs)


def _of(pattern: str, parser: Parser) -> Iterator[str]:
    begin = pattern.removesuffix("*")
    for option, choices in choices_of(parser).items():
        yield _case(f"{begin}*{option}" if begin.count(" ") == 1 else f"{begin}{option}", choices)
    yield _case(pattern, options_of(parser))


def _case(pattern: str, words: Iterator[str] | Sequence[str] | dict[str, Parser]) -> str:
    # In a pattern spaces are quoted, and a star is not.
    quoted = "*".join(shlex.quote(part) if part else "" for part in pattern.split("*"))
    return f"            {quoted}) words={shlex.quote(' '.join(words))} ;;"
