"""A CloudEvent in HTTP's binary mode: its attributes are headers that begin with `ce-`, the body is its data. Pure."""

import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from msgspec import Raw

from accounts.http.strict_json import check_syntax, check_text
from streams.cloudevents.attributes import ABSENT, BASE64, Value, is_json_type
from streams.cloudevents.incoming import NO_DATA, Data, make_envelope, refuse
from streams.envelope import Envelope
from streams.errors import EventFault

# As WSGI writes the names of headers.
PREFIX: Final = "HTTP_CE_"
_escape = re.compile(r"%[0-9A-Fa-f]{2}")
_quoted = re.compile(r'"((?:[^"\\]|\\.)*)"')
_backslash = re.compile(r"\\(.)")
_printable = re.compile(r"[\x20-\x7e]*")


class BinaryEvent(NamedTuple):
    """What a request says in binary mode.

    Attributes:
        headers: those of its attributes, by the name that WSGI gives them, as they were sent.
        repeated: names of those that were there more than once.
        content_type: of the body; empty: none.
    """

    headers: Mapping[str, str]
    repeated: Collection[str]
    content_type: str
    body: bytes

    @property
    def identity(self) -> bytes:
        """What makes it the same event, beside its body."""
        lines = [f"{name}:{value}\n" for name, value in sorted(self.headers.items())]
        return "".join(["ce\n", *lines, f"{self.content_type}\n"]).encode()


def attribute_headers(meta: Mapping[str, str]) -> dict[str, str]:
    """Return the headers among these that say attributes."""
    return {name: value for name, value in meta.items() if name.startswith(PREFIX)}


def decode_binary(event: BinaryEvent) -> tuple[list[Envelope], bool]:
    """Return the CloudEvent of a request, as an envelope in a list, and that it is single.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson: its type says that the body is JSON, and it is not.
        InvalidEvents: it is no CloudEvent; what is wrong is named.
    """
    attributes: dict[str, Value] = {}
    faults: list[EventFault] = []
    for header in event.headers:
        name = header.removeprefix(PREFIX).lower().replace("_", "-")
        try:
            attributes[name] = _decoded(header, event)
        except _Unreadable as error:
            faults.append(EventFault(f"/{name[:60]}", "invalid", str(error)))
            attributes[name] = ""
    if "datacontenttype" in attributes:
        faults.append(
            EventFault("/datacontenttype", "invalid", "In binary mode it is the Content-Type; leave this out.")
        )
    elif event.content_type:
        attributes["datacontenttype"] = event.content_type
    if "data" in attributes:
        faults.append(EventFault("/data", "invalid", "In binary mode the body is the data; leave this out."))
    envelope, wrong = make_envelope(attributes, _data_of(event), "")
    named = {fault.pointer for fault in faults}
    refuse([*faults, *(fault for fault in wrong if fault.pointer not in named)])
    return [envelope], True


class _Unreadable(ValueError):
    """A header's value says nothing; the words say why."""


def _decoded(header: str, event: BinaryEvent) -> str:
    """Undo the quoting and the percent-encoding of a header's value, once each."""
    if header in event.repeated:
        raise _Unreadable("The header is there more than once.")
    value = event.headers[header]
    if not _printable.fullmatch(value):
        raise _Unreadable("Only printable ASCII; everything else is percent-encoded UTF-8: %E2%82%AC.")
    if (quoted := _quoted.fullmatch(value)) is not None:
        value = _backslash.sub(r"\1", quoted[1])
    if "%" not in value:
        return value
    if value.count("%") != len(_escape.findall(value)):
        raise _Unreadable("After a % come two hexadecimal digits; a % itself is %25.")
    try:
        return _escape.sub(lambda found: chr(int(found[0][1:], 16)), value).encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise _Unreadable("What is percent-encoded is not UTF-8.") from error


def _data_of(event: BinaryEvent) -> Data:
    if not event.body:
        return Data(NO_DATA, ABSENT)
    # Without a type it is JSON, as in the structured form.
    if event.content_type and not is_json_type(event.content_type):
        return Data(Raw(b'"%b"' % b64encode(event.body)), BASE64)
    check_text(event.body)
    check_syntax(event.body)
    return Data(Raw(event.body.strip(b" \t\r\n")))
