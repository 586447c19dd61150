"""Strict JSON in UTF-8: what is refused although a parser would let it pass, and why. Pure: bytes in, values out."""

import re
from typing import Any, Final

import msgspec

from accounts.conf import MAX_BODY_FIELDS, MAX_FIELD_VALUES, MAX_JSON_DEPTH
from accounts.errors import (
    ExpectedObject,
    InvalidJson,
    InvalidUnicode,
    InvalidUtf8,
    PayloadTooLarge,
    TooDeep,
    TooManyValues,
)

# msgspec's words; of what, a person cannot tell.
_TRUNCATED: Final = "Input data was truncated"
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_EVERY_BYTE: Final = bytes(range(256))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_PEELED_LEVELS = 4
_any = msgspec.json.Decoder(msgspec.Raw)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Python reads a number like 1e300 twenty times as fast.
_object = msgspec.json.Decoder(dict[str, Any], float_hook=float)


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
    if str(error) == _TRUNCATED:
        return InvalidJson("The JSON ends too early: something that it opens is not closed.")
    return InvalidJson(str(error))


def exceeds_depth(raw: bytes, limit: int = MAX_JSON_DEPTH) -> bool:
    """Whether valid JSON nests deeper than `limit`.

    Counting the opening brackets bounds the depth from above for next to nothing; only a document with
    more of them than the limit is looked at in earnest, and then a run of brackets at a time.
    """
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    brackets = outside_strings(raw, keep=b"[]{}").translate(_ONE_KIND)
    # What is innermost goes, a few times over: then there are few places left at which it opens anew.
    peeled = min(limit, _PEELED_LEVELS)
    for _ in range(peeled):
        brackets = brackets.replace(b"[]", b"")
    depth = peeled if brackets else 0
    for run in brackets.split(b"]["):
        openers = run.count(b"[")
        depth += openers
        if depth > limit:
            return True
        depth -= len(run) - openers
    return False


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` is, for endpoints that keep what they get in columns.

    Values are counted before any is made: how many there are costs next to nothing to know.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, TooDeep: it is not strict JSON.
        ExpectedObject: it is JSON, but no object.
        PayloadTooLarge, TooManyValues: it has more fields, or a field has more values, than any endpoint takes.
    """
    check_text(body)
    try:
        fields = _fields.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        check_syntax(body)
        raise ExpectedObject("The body must be a JSON object.") from error
    # An escaped backslash before `u0000` is no NUL.
    if b"\\u0000" in body and b"\\u0000" in body.replace(b"\\\\", b""):
        raise InvalidUnicode("Text here must not contain \\u0000.")
    if len(fields) > MAX_BODY_FIELDS:
        raise PayloadTooLarge(f"The body may have at most {MAX_BODY_FIELDS} fields.")
    for name, value in fields.items():
        if exceeds_values(bytes(value)):
            raise TooManyValues(name)
    if exceeds_depth(body):
        raise TooDeep(f"Values may be nested at most {MAX_JSON_DEPTH} deep.")
    try:
        return _object.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise explain_decode_error(error, body) from error


def check_syntax(body: bytes) -> None:
    """Refuse what is no JSON, making no values of it.

    Raises:
        InvalidUnicode, InvalidJson, TooDeep
    """
    try:
        _any.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise explain_decode_error(error, body) from error


def exceeds_values(raw: bytes, limit: int = MAX_FIELD_VALUES) -> bool:
    """Whether valid JSON has more values than `limit`, each item, field, list and object counted."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    return len(outside_strings(raw, keep=b",[{")) > limit


def outside_strings(raw: bytes, *, keep: bytes = _EVERY_BYTE) -> bytes:
    """Return those of the bytes `keep` in valid JSON that stand in no string, in their order."""
    if b"\\" in raw:
        # First the backslashes that are escaped, then the quotes: what is left of those begins or ends a string.
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept = raw.translate(None, bytes({*_EVERY_BYTE} - {*keep, ord('"')}))
    # Two quotes with nothing between them change nothing of what is inside and what is outside.
    return b"".join(kept.replace(b'""', b"").split(b'"')[::2])
