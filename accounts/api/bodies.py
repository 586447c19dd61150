"""Reading a request's body: whole, of a known size, in UTF-8, strictly JSON.

Whatever a client sends, the answer is a clear problem and nothing is stored in part.
"""

import re
from typing import Any

import msgspec
from django.db import connection
from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from accounts.api.reading_places import reading_place
from accounts.caller import Caller
from accounts.conf import MAX_JSON_DEPTH
from accounts.errors import (
    BodyTruncated,
    EmptyBody,
    ExpectedObject,
    InvalidJson,
    InvalidUnicode,
    InvalidUtf8,
    LengthRequired,
    PayloadTooLarge,
    TooDeep,
    UnsupportedCharset,
    UnsupportedEncoding,
    UnsupportedMediaType,
)

JSON = "application/json"
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_OPENERS, _CLOSERS = b"[{", b"]}"


def read_body(request: HttpRequest, *, limit: int, media_types: tuple[str, ...] = (JSON,)) -> tuple[str, bytes]:
    """Return the media type and the bytes of a request's body, at most `limit` of them.

    Raises:
        UnsupportedMediaType, UnsupportedCharset, UnsupportedEncoding: by the headers alone.
        LengthRequired: it came in chunks and is of a kind that could be cut short without a trace.
        PayloadTooLarge: by Content-Length before anything is read, or while reading.
        TooManySlowBodies: too many others are still being waited for.
        BodyTruncated: fewer bytes came than Content-Length promised.
        EmptyBody: there is nothing.
    """
    media_type = check_media_type(request, media_types)
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared:
        if not declared.isascii() or not declared.isdigit() or len(declared) > 18:
            raise BodyTruncated("Content-Length is not a number.")
        if int(declared) > limit:
            raise PayloadTooLarge(f"The body may have at most {limit} bytes; Content-Length says {declared}.")
    elif is_chunked(request) and media_type != JSON:
        # The server ends a chunked body that was cut off as if it were whole. Half a JSON document is none,
        # but half of the lines are lines.
        raise LengthRequired(f"{media_type} needs a Content-Length; only {JSON} may come in chunks.")
    # The body may take its time, and its sender was looked up: a connection held meanwhile is one that others lack.
    if not connection.in_atomic_block:
        connection.close()
    try:
        with reading_place(_sender_of(request)):
            body = request.read(limit + 1)
    except (UnreadablePostError, RawPostDataException, OSError) as error:
        raise BodyTruncated("The connection ended before the whole body had come.") from error
    if len(body) > limit:
        raise PayloadTooLarge(f"The body may have at most {limit} bytes.")
    if declared and len(body) != int(declared):
        raise BodyTruncated(f"Content-Length says {declared} bytes, {len(body)} came. Nothing was stored.")
    if not body:
        raise EmptyBody("The body is empty; a JSON document is expected.")
    return media_type, body


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes in chunks, its length unknown until its end."""
    return "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")


def _sender_of(request: HttpRequest) -> str:
    caller = request.__dict__.get("user")
    return caller.reference if isinstance(caller, Caller) else str(request.META.get("REMOTE_ADDR"))


def check_media_type(request: HttpRequest, media_types: tuple[str, ...]) -> str:
    """Return the media type of the request if it is one of `media_types`, in UTF-8 and not encoded."""
    content_type = request.META.get("CONTENT_TYPE") or ""
    if content_type in media_types:
        media_type = content_type
    else:
        media_type, *parameters = (part.strip() for part in content_type.split(";"))
        media_type = media_type.lower()
        if media_type not in media_types:
            raise UnsupportedMediaType(f"Content-Type must be {' or '.join(media_types)}.")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
                raise UnsupportedCharset("JSON is read as UTF-8 only.")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding("Send the body without Content-Encoding.")
    return media_type


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
