"""Forms as the templates show them: what was typed, and what is wrong with which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from accounts.errors import LastChange
from observability.dashboard.problems import PageProblem

if TYPE_CHECKING:
    from observability.dashboard.conflicts import Conflict


@dataclass(frozen=True, slots=True)
class Form:
    """The typed values by field name, and the faults by the same names; '' is the form as a whole.

    Attributes:
        is_outdated: somebody else has changed what it is about since it was shown.
        last_change: who that was, if it is known.
        changed: what that one changed, in the form's words.
        conflicts: which of its settings that were.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    is_outdated: bool = False
    last_change: LastChange | None = None
    changed: str = ""
    conflicts: Sequence["Conflict"] = ()

    @property
    def fault(self) -> str:
        return self.faults.get("", "")


def refused_form(values: Mapping[str, str], problem: PageProblem, fields: Mapping[str, str], whole: str = "") -> Form:
    """Return the form that was refused, each fault at its field.

    Args:
        fields: JSON pointer of the API's problem → field of the form, which also has the faults of its items.
        whole: the field that a fault without a pointer belongs to.
    """
    faults: dict[str, str] = {}
    for pointer, detail in problem.faults:
        name = fields.get(pointer) or fields.get(pointer.rpartition("/")[0], whole)
        faults[name] = f"{faults[name]} {detail}" if name in faults else detail
    return Form(values, faults or {whole: problem.detail})


def number_or_text(text: str) -> int | str | None:
    """What a number field holds, for the API's strict fields: a number, nothing, or what was typed instead."""
    text = text.strip()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else text
