"""Strict JSON in UTF-8: what is refused although a parser would let it pass, and why. Pure: bytes in, values out."""

import re
from typing import Any

import msgspec

from accounts.conf import MAX_JSON_DEPTH
from accounts.errors import ExpectedObject, InvalidJson, InvalidUnicode, InvalidUtf8, TooDeep

_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_OPENERS, _CLOSERS = b"[{", b"]}"


def check_text(body: bytes) -> None:
    """Refuse what is not UTF-8 text; a JSON parser that skips over strings would let it pass."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidUtf8(f"Byte {error.start} of the body is not valid UTF-8.") from error
    if b"\x00" in body:
        raise InvalidUtf8("The body has NUL bytes: it looks like UTF-16 or binary data. Send UTF-8.")


def explain_decode_error(error: Exception, body: bytes) -> InvalidJson | InvalidUnicode | TooDeep:
    """Say in the API's words why msgspec could not decode."""
    if isinstance(error, RecursionError):
        return TooDeep(f"Values may be nested at most {MAX_JSON_DEPTH} deep.")
    if _LONE_SURROGATE.search(body):
        return InvalidUnicode("A \\u escape is half of a surrogate pair.")
    if body.startswith(b"\xef\xbb\xbf"):
        return InvalidJson("The body starts with a byte order mark; leave it out.")
    return InvalidJson(str(error))


def exceeds_depth(raw: bytes, limit: int = MAX_JSON_DEPTH) -> bool:
    """Whether valid JSON nests deeper than `limit`.

    Counting the opening brackets bounds the depth from above for next to nothing; only a document with
    more of them than the limit is looked at in earnest.
    """
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    depth = 0
    for byte in _STRING.sub(b"", raw):
        if byte in _OPENERS:
            depth += 1
            if depth > limit:
                return True
        elif byte in _CLOSERS:
            depth -= 1
    return False


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` is, for endpoints that keep what they get in columns.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, TooDeep: it is not strict JSON.
        ExpectedObject: it is JSON, but no object.
    """
    check_text(body)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise explain_decode_error(error, body) from error
    if not isinstance(document, dict):
        raise ExpectedObject("The body must be a JSON object.")
    if exceeds_depth(body):
        raise TooDeep(f"Values may be nested at most {MAX_JSON_DEPTH} deep.")
    if b"\\u0000" in body and _has_nul(document):
        raise InvalidUnicode("Text here must not contain \\u0000.")
    return document


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return False
