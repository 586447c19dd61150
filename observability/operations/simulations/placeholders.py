"""Templates of simulated payloads: JSON whose strings may hold `{{placeholders}}`. Pure.

A string that is one numeric placeholder and nothing else becomes a number: `"{{int 1 9}}"` → `7`. So a template
is itself valid JSON and can be checked as such.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import msgspec

from observability.errors import InvalidTemplate

NAMES = (
    "Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Alan Turing", "Radia Perlman",
    "Donald Knuth", "Margaret Hamilton", "Niklaus Wirth", "Frances Allen", "Leslie Lamport", "Karen Spärck Jones",
)  # fmt: skip
WORDS = ("blue", "quick", "river", "stone", "paper", "north", "amber", "cloud", "maple", "signal", "harbour", "copper")
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z]+)((?:\s+[^\s{}\"\\]+)*)\s*\}\}")
_WHOLE_STRING = re.compile(r'"\{\{\s*([a-z]+)((?:\s+[^\s{}"\\]+)*)\s*\}\}"')
MAX_ARGUMENT = 10**15


@dataclass(frozen=True, slots=True)
class Moment:
    """What the placeholders of one event draw from."""

    random: Random
    sequence: int
    now: datetime


Make = Callable[[Moment], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One placeholder: what it makes of its arguments, and whether that is a number."""

    example: str
    make: Callable[[Sequence[str]], Make]
    is_number: bool = False


def _int(arguments: Sequence[str]) -> Make:
    low, high = _range(arguments, 1, 1000)
    return lambda moment: str(moment.random.randint(int(low), int(high)))


def _amount(arguments: Sequence[str]) -> Make:
    low, high = _range(arguments, 1, 500)
    return lambda moment: f"{moment.random.uniform(low, high):.2f}"


def _choice(arguments: Sequence[str]) -> Make:
    if not arguments:
        raise InvalidTemplate("{{choice}} needs words to choose from: {{choice red green}}.")
    return lambda moment: moment.random.choice(arguments)


def _plain(make: Make) -> Callable[[Sequence[str]], Make]:
    """A placeholder that takes no arguments."""

    def check(arguments: Sequence[str]) -> Make:
        if arguments:
            raise InvalidTemplate(f"This placeholder takes nothing beside its name: {arguments[0][:40]}")
        return make

    return check


def _email(moment: Moment) -> str:
    return f"{moment.random.choice(WORDS)}.{moment.random.randint(1, 999)}@example.com"


def _now(moment: Moment) -> str:
    return moment.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _range(arguments: Sequence[str], low: float, high: float) -> tuple[float, float]:
    try:
        values = [float(argument) for argument in arguments]
    except ValueError:
        values = [1.0, 0.0]
    low, high = (values[0], values[1]) if len(values) == 2 else (low, high) if not values else (1, 0)
    if not -MAX_ARGUMENT <= low <= high <= MAX_ARGUMENT:
        raise InvalidTemplate("A range is two numbers, the smaller first: {{int 1 100}}.")
    return low, high


KINDS = {
    "int": Kind("{{int 1 100}}", _int, is_number=True),
    "amount": Kind("{{amount 5 200}}", _amount, is_number=True),
    "sequence": Kind("{{sequence}}", _plain(lambda moment: str(moment.sequence)), is_number=True),
    "choice": Kind("{{choice new paid}}", _choice),
    "name": Kind("{{name}}", _plain(lambda moment: moment.random.choice(NAMES))),
    "email": Kind("{{email}}", _plain(_email)),
    "word": Kind("{{word}}", _plain(lambda moment: moment.random.choice(WORDS))),
    "uuid": Kind("{{uuid}}", _plain(lambda moment: str(uuid.UUID(int=moment.random.getrandbits(128), version=4)))),
    "now": Kind("{{now}}", _plain(_now)),
}


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template: fixed text and makers in turn."""

    parts: tuple[str | Make, ...]

    def render(self, moment: Moment) -> str:
        return "".join(part if isinstance(part, str) else part(moment) for part in self.parts)


def compile_payload(text: str) -> Template:
    """Compile a payload template.

    Raises:
        InvalidTemplate: it is not JSON, or a placeholder is unknown or malformed.
    """
    try:
        msgspec.json.decode(text.encode(), type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise InvalidTemplate(f"The template is not valid JSON: {error}"[:200]) from error
    parts: list[str | Make] = []
    position = 0
    for match in _WHOLE_STRING.finditer(text):
        kind, make = _maker(match)
        parts += _inner(text[position : match.start()])
        parts += [make] if kind.is_number else ['"', _escaped(make), '"']
        position = match.end()
    return Template((*parts, *_inner(text[position:])))


def compile_text(text: str) -> Template:
    """Compile plain text with placeholders, such as a key.

    Raises:
        InvalidTemplate
    """
    parts: list[str | Make] = []
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[position : match.start()], _maker(match)[1]]
        position = match.end()
    return Template((*parts, text[position:]))


def _inner(text: str) -> list[str | Make]:
    parts: list[str | Make] = []
    position = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[position : match.start()], _escaped(_maker(match)[1])]
        position = match.end()
    return [*parts, text[position:]]


def _maker(match: "re.Match[str]") -> tuple[Kind, Make]:
    name, arguments = match[1], match[2].split()
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidTemplate(f"There is no {{{{{name[:40]}}}}}. Known: {', '.join(KINDS)}.")
    return kind, kind.make(arguments)


def _escaped(make: Make) -> Make:
    return lambda moment: msgspec.json.encode(make(moment)).decode()[1:-1]
