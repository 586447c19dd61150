"""How CloudEvents look in OpenAPI."""

from typing import Any, Final

from accounts.names import NAME_PATTERN
from streams.api.cloudevents import CLOUDEVENT, CLOUDEVENT_BATCH
from streams.cloudevents.attributes import (
    MAX_INTEGER,
    MEDIA_TYPE_PATTERN,
    MIN_INTEGER,
    SPEC_VERSION,
    URI_PATTERN,
    URI_REFERENCE_PATTERN,
)
from streams.conf import (
    MAX_DELAY_SECONDS,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_ID_CHARACTERS,
    MAX_KEY_BYTES,
    MAX_LIFETIME_SECONDS,
    MAX_REQUEST_EVENTS,
)
from streams.envelope import TYPE_PATTERN

_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": MAX_HEADER_BYTES}
_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_SECONDS_PATTERN: Final = r"^[0-9]{1,10}(\.[0-9]{1,10})?$"
_EXTENSION: Final[dict[str, Any]] = {
    "oneOf": [
        {"type": "string", "maxLength": MAX_HEADER_BYTES},
        {"type": "boolean"},
        {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER},
    ],
    "description": "An extension; its name has lower-case letters and digits only.",
    "nullable": True,
}
_ATTRIBUTES: Final[dict[str, Any]] = {
    "specversion": {"type": "string", "enum": [SPEC_VERSION]},
    "id": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS, "description": "Printable."},
    "source": {**_TEXT, "pattern": f"^{URI_REFERENCE_PATTERN}$"},
    "type": {"type": "string", "pattern": f"^{TYPE_PATTERN}$"},
    "subject": {**_TEXT, "nullable": True},
    "time": {**_TIME, "nullable": True},
    "datacontenttype": {**_TEXT, "pattern": f"^{MEDIA_TYPE_PATTERN}$", "nullable": True},
    "dataschema": {**_TEXT, "pattern": f"^{URI_PATTERN}$", "nullable": True},
    "partitionkey": {
        "nullable": True,
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_KEY_BYTES,
        "description": f"The event's key: at most {MAX_KEY_BYTES} bytes in UTF-8.",
    },
    "deliverafter": {
        "oneOf": [
            {**_TIME},
            {"type": "string", "pattern": _SECONDS_PATTERN},
            {"type": "integer", "minimum": 1, "maximum": MAX_DELAY_SECONDS},
        ],
        "description": "The event's `deliver_after`: a time, or seconds, fractions of one as text.",
        "nullable": True,
    },
    "expiresafter": {
        "oneOf": [
            {"type": "string", "pattern": _SECONDS_PATTERN},
            {"type": "integer", "minimum": 1, "maximum": MAX_LIFETIME_SECONDS},
        ],
        "description": "The event's `expires_after`: seconds, fractions of one as text.",
        "nullable": True,
    },
    "data": {"description": "Any JSON value; kept and returned exactly as sent."},
    "data_base64": {
        "type": "string",
        "format": "byte",
        "nullable": True,
        "description": "Instead of `data`: bytes that are no JSON.",
    },
}
_REQUIRED: Final = ["specversion", "id", "source", "type"]
_IN_STREAM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A CloudEvent 1.0 in the JSON format.",
    "required": _REQUIRED,
    "maxProperties": 2 * MAX_HEADERS,
    "properties": {**_ATTRIBUTES, "stream": {"type": "string", "pattern": NAME_PATTERN, "nullable": True}},
    "additionalProperties": _EXTENSION,
    # One of the two; a null is as good as nothing.
    "not": {"required": ["data", "data_base64"], "properties": {"data_base64": {"type": "string"}}},
}
_IN: Final[dict[str, Any]] = {
    **_IN_STREAM,
    "required": [*_REQUIRED, "stream"],
    "properties": {**_ATTRIBUTES, "stream": {"type": "string", "pattern": NAME_PATTERN}},
}
_OUT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An event as a CloudEvent 1.0 in the JSON format.",
    "required": [*_REQUIRED, "recordedtime", "stream", "partition", "offset"],
    "properties": {
        **_ATTRIBUTES,
        "recordedtime": _TIME,
        "stream": {"type": "string"},
        "partition": {"type": "integer"},
        "offset": {"type": "string", "description": "A whole number, which may be larger than an Integer."},
    },
    "additionalProperties": _EXTENSION,
}
# Where each names its stream, and where the address does.
CLOUDEVENTS_IN, CLOUDEVENTS_IN_STREAM = (
    {CLOUDEVENT: one, CLOUDEVENT_BATCH: {"type": "array", "items": one, "maxItems": MAX_REQUEST_EVENTS}}
    for one in (_IN, _IN_STREAM)
)
CLOUDEVENT_OUT: Final = _OUT
CLOUDEVENTS_OUT: Final[dict[str, Any]] = {"type": "array", "items": _OUT}
