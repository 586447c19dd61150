"""What msgspec says about a body that does not fit, as a place, a code and words. Pure."""

import re
from typing import NamedTuple

from msgspec import ValidationError

_PATH_PART = re.compile(r"\.([A-Za-z_]+)|\[(\d+)\]")
_MAX_NAME_CHARACTERS = 60
_MAX_TEXT_CHARACTERS = 200


class Fault(NamedTuple):
    """One thing that is wrong with a body.

    Attributes:
        pointer: JSON pointer to it, below what was decoded. Of what stands in a mapping msgspec tells no more than
            the mapping.
        code: `unknown_field`, `required`, `expected_object`, `timezone_required`, `out_of_range` or `invalid`.
        text: msgspec's own words.
        name: the field that is unknown or missing, else empty.
    """

    pointer: str
    code: str
    text: str
    name: str = ""


def fault_of(error: ValidationError) -> Fault:
    """Return what an error says: `Expected …, got … - at `$.deliveries[0].offset``."""
    text, _, path = str(error).partition(" - at `$")
    pointer = "".join(f"/{name or index}" for name, index in _PATH_PART.findall(path))
    if "unknown field" in text:
        # Whoever sent it named it: it may be of any length.
        name = _field_in(text)[:_MAX_NAME_CHARACTERS]
        return Fault(f"{pointer}/{name}", "unknown_field", text, name)
    if "missing required field" in text:
        name = _field_in(text)
        return Fault(f"{pointer}/{name}", "required", text, name)
    return Fault(pointer, _code_of(text), text[:_MAX_TEXT_CHARACTERS])


def _field_in(text: str) -> str:
    return text.rpartition("field `")[2].rstrip("`")


def _code_of(text: str) -> str:
    if "timezone" in text:
        return "timezone_required"
    if text.startswith("Expected `object`"):
        return "expected_object"
    # `Expected `int` >= 1`, and not `Expected `int`, got `str``.
    if "`int` " in text or "`float` " in text or "out of range" in text:
        return "out_of_range"
    return "invalid"
