"""What CloudEvents 1.0 says of attributes, and under which names an event keeps them. Pure.

An attribute that an event has no field for is one of its headers: `source` is `ce-source`. The attributes of a trace
have headers of their own names, which every event may have.
"""

import re
from typing import Final

Value = str | bool | int

SPEC_VERSION: Final = "1.0"
PREFIX: Final = "ce-"
# Neither is the name of an attribute, since those have no hyphen and none is called `data`.
DATA_FORM_HEADER: Final = "ce-data"
TYPED_HEADER: Final = "ce-typed-attributes"
ABSENT: Final = "absent"
BASE64: Final = "base64"
REQUIRED: Final = ("specversion", "id", "source", "type")
TRACE_ATTRIBUTES: Final = frozenset({"traceparent", "tracestate"})
# An event has fields for these, or they say the same of all.
IN_FIELDS: Final = frozenset(
    {"specversion", "id", "type", "time", "partitionkey", "stream", "deliverafter", "expiresafter"}
)
# Of these, which may be numbers: seconds. A fraction of one is text, as CloudEvents have no such numbers.
TIMES: Final = {"deliverafter": "deliver_after", "expiresafter": "expires_after"}
# Attributes that mean something of their own: a header of that name without the prefix is something else.
CONTEXT: Final = frozenset({"source", "subject", "dataschema", "datacontenttype", "recordedtime"})
# What only the log can say of an event.
OF_THE_LOG: Final = frozenset(
    {
        *("partition", "offset", "schemaversion", "schemavalid", "erasedtime", "erasedbytes"),
        *("editedby", "editedtime", "originalsha256"),
    }
)
# Of what CloudEvents call an Integer. The number of a partition is one; an offset may be larger, and is told as text.
MIN_INTEGER: Final = -(2**31)
MAX_INTEGER: Final = 2**31 - 1

NAME_PATTERN: Final = "[a-z0-9]+"
_URI_CHARACTERS: Final = r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})"
URI_REFERENCE_PATTERN: Final = rf"(?=.){_URI_CHARACTERS}*(?:#{_URI_CHARACTERS}*)?"
URI_PATTERN: Final = rf"[A-Za-z][A-Za-z0-9+.\-]*:{_URI_CHARACTERS}*(?:#{_URI_CHARACTERS}*)?"
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+"
MEDIA_TYPE_PATTERN: Final = rf"{_WORD}/{_WORD}(?: *; *{_WORD}=(?:{_WORD}|\"[^\"\\]*\"))*"
_name = re.compile(NAME_PATTERN)
_integer = re.compile(r"0|-?[1-9][0-9]{0,9}")
_json_type = re.compile(rf"{_WORD}/(?:{_WORD}\+)?json(?: *;.*)?", re.IGNORECASE)
_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_forbidden = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
_RULES: Final = {
    "source": (re.compile(URI_REFERENCE_PATTERN), "A URI reference (RFC 3986) that is not empty: /shop/checkout."),
    "dataschema": (re.compile(URI_PATTERN), "An absolute URI (RFC 3986): https://schemas.example/order."),
    "recordedtime": (
        re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII),
        "A time as RFC 3339 writes it: 2026-11-22T10:00:00Z.",
    ),
    "subject": (re.compile(".+", re.DOTALL), "Must not be empty; leave it out instead."),
    "datacontenttype": (re.compile(MEDIA_TYPE_PATTERN), "A media type (RFC 2046): application/json."),
}


def is_name(name: str) -> bool:
    """Whether an attribute may be called so."""
    return _name.fullmatch(name) is not None


def is_text(text: str) -> bool:
    """Whether a CloudEvent may have this as a String: it has neither control characters nor noncharacters."""
    # Most texts are so plain, which costs next to nothing to know.
    return (text.isascii() and text.isprintable()) or _forbidden.search(text) is None


def rule_broken(name: str, text: str) -> str | None:
    """Return in words which rule of its attribute a text breaks that `is_text`; None: none."""
    pattern, words = _RULES.get(name, (None, ""))
    return words if pattern is not None and not pattern.fullmatch(text) else None


def is_json_type(media_type: str) -> bool:
    """Whether a media type says that the data is JSON: `*/json` or `*/*+json`."""
    return _json_type.fullmatch(media_type) is not None


def header_of(name: str) -> str:
    """Return the name of the header that keeps an attribute."""
    return name if name in TRACE_ATTRIBUTES else f"{PREFIX}{name}"


def text_of(value: Value) -> str:
    """Return the canonical text of a value, as the specification says for every type."""
    return "true" if value is True else "false" if value is False else str(value)


def typed(text: str) -> Value:
    """Return the Boolean or Integer that a text is; what is neither stays a text."""
    if text in ("true", "false"):
        return text == "true"
    if _integer.fullmatch(text) and MIN_INTEGER <= int(text) <= MAX_INTEGER:
        return int(text)
    return text
