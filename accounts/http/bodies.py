"""Reading a request's body: whole, of a known size, of a kind that is taken here, unpacked.

Whatever a client sends, the answer is a clear problem and nothing is stored in part.
"""

from functools import partial
from typing import Protocol

from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from accounts.errors import (
    BodyTruncated,
    EmptyBody,
    LengthRequired,
    PayloadTooLarge,
    UnsupportedCharset,
    UnsupportedMediaType,
)
from accounts.http.encodings import encoding_of, unpack
from accounts.long_work import off_the_loop_if_long

JSON = "application/json"


class CollectsBody(Protocol):
    """A request whose body is still on its way: the web server's own."""

    async def collect_body(self, *, limit: int) -> bytes:
        """Return the body as far as it comes, at most a little more than `limit`; the event loop goes on meanwhile.

        Raises:
            BodyTooSlow, TooManySlowBodies
        """
        ...


def read_body(request: HttpRequest, *, limit: int, media_types: tuple[str, ...] = (JSON,)) -> tuple[str, bytes]:
    """Return the media type and the bytes of a request's body, at most `limit` of them, packed and unpacked.

    Raises:
        UnsupportedMediaType, UnsupportedCharset, UnsupportedEncoding: by the headers alone.
        LengthRequired: it came in chunks and is of a kind that could be cut short without a trace.
        PayloadTooLarge: by Content-Length before anything is read, or while reading.
        BodyTruncated: fewer bytes came than Content-Length promised.
        BrokenEncoding: it was packed, and cannot be unpacked.
        EmptyBody: there is nothing.
    """
    media_type = check_head(request, limit=limit, media_types=media_types)
    body = check_whole(request, _read(request, limit), limit=limit)
    encoding = encoding_of(request)
    if encoding is not None:
        body = _check_any(unpack(body, encoding=encoding, limit=limit))
    return media_type, body


async def read_body_async(
    request: HttpRequest, *, limit: int, media_types: tuple[str, ...] = (JSON,)
) -> tuple[str, bytes]:
    """Do what `read_body` does, and let the event loop go on until the body is there.

    Raises:
        BodyTooSlow, TooManySlowBodies: its sender takes too long, or has too many others under way.
    """
    media_type = check_head(request, limit=limit, media_types=media_types)
    return media_type, await _read_whole(request, limit)


async def read_any_body_async(request: HttpRequest, *, limit: int) -> tuple[str, bytes]:
    """Return the Content-Type of a request as it was sent, and its body, of whatever kind; both may be empty.

    Raises:
        UnsupportedCharset: it is JSON in something else than UTF-8.
        LengthRequired: it came in chunks; whatever it is could be cut short without a trace.
        UnsupportedEncoding, PayloadTooLarge, BodyTruncated, BrokenEncoding, BodyTooSlow, TooManySlowBodies: as
        `read_body_async` does.
    """
    content_type = (request.META.get("CONTENT_TYPE") or "").strip()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(("/json", "+json")):
        check_media_type(request, (media_type,))
    if encoding_of(request) is None and is_chunked(request):
        raise LengthRequired("A body that is not wrapped in JSON needs a Content-Length, or is packed.")
    check_length(request, limit=limit)
    try:
        return content_type, await _read_whole(request, limit)
    except EmptyBody:
        return content_type, b""


async def _read_whole(request: HttpRequest, limit: int) -> bytes:
    collect = getattr(request, "collect_body", None)
    body = _read(request, limit) if collect is None else await collect(limit=limit)
    body = check_whole(request, body, limit=limit)
    encoding = encoding_of(request)
    if encoding is not None:
        # Few bytes may hold as many as the limit lets them.
        unpacking = partial(unpack, body, encoding=encoding, limit=limit)
        body = _check_any(await off_the_loop_if_long(unpacking, size=limit))
    return body


def check_length(request: HttpRequest, *, limit: int) -> None:
    """Refuse a body that says of itself that it is too long."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    if not declared.isascii() or not (declared or "0").isdigit() or len(declared) > 18:
        raise BodyTruncated("Content-Length is not a number.")
    if int(declared or 0) > limit:
        raise PayloadTooLarge(f"The body may have at most {limit} bytes; Content-Length says {declared}.")


def check_head(request: HttpRequest, *, limit: int, media_types: tuple[str, ...]) -> str:
    """Refuse a body by what is said of it before it comes; return its media type."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    if not request.META.get("CONTENT_TYPE") and declared in ("", "0") and not is_chunked(request):
        # Who sends nothing at all has not chosen a wrong kind.
        raise EmptyBody
    media_type = check_media_type(request, media_types)
    if declared:
        check_length(request, limit=limit)
    elif is_chunked(request) and not media_type.endswith(("/json", "+json")) and encoding_of(request) is None:
        # The server ends a chunked body that was cut off as if it were whole. Half an object or array is none, and
        # what is packed has an end of its own, but half of the lines are lines.
        raise LengthRequired(f"{media_type} needs a Content-Length; only {JSON} and what is packed may come in chunks.")
    return media_type


def check_whole(request: HttpRequest, body: bytes, *, limit: int) -> bytes:
    """Refuse a body, as it came, that is too long, cut off or empty."""
    declared = request.META.get("CONTENT_LENGTH")
    if len(body) > limit:
        raise PayloadTooLarge(f"The body may have at most {limit} bytes.")
    if declared and len(body) != int(declared):
        raise BodyTruncated(f"Content-Length says {declared} bytes, {len(body)} came. Nothing was stored.")
    return _check_any(body)


def _check_any(body: bytes) -> bytes:
    if not body:
        raise EmptyBody
    return body


def _read(request: HttpRequest, limit: int) -> bytes:
    try:
        return request.read(limit + 1)
    except (UnreadablePostError, RawPostDataException, OSError) as error:
        raise BodyTruncated("The connection ended before the whole body had come.") from error


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes in chunks, its length unknown until its end."""
    return "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")


def check_media_type(request: HttpRequest, media_types: tuple[str, ...]) -> str:
    """Return the media type of the request if it is one of `media_types`, in UTF-8 and packed in no unknown way."""
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
    encoding_of(request)
    return media_type
