"""Bodies of which one field stays as it was sent."""

from typing import Any, ClassVar

import msgspec
from rest_framework.parsers import BaseParser

from accounts.conf import MAX_BODY_BYTES
from accounts.errors import ExpectedObject, TooDeep
from accounts.http.bodies import read_body
from accounts.http.strict_json import check_syntax, check_text, decode_object, exceeds_depth, explain_decode_error
from streams.conf import MAX_EVENT_BYTES

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RawFieldParser(BaseParser):
    """A JSON object of which one field, if it is there, stays the bytes that were sent."""

    media_type = "*/*"
    raw_field: ClassVar[str]

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        body = read_body(stream, limit=MAX_BODY_BYTES + MAX_EVENT_BYTES)[1]
        check_text(body)
        try:
            fields = _fields.decode(body)
        except msgspec.ValidationError as error:
            check_syntax(body)
            raise ExpectedObject("The body must be a JSON object.") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decode_error(error, body) from error
        if exceeds_depth(body):
            raise TooDeep("Values are nested too deeply.")
        raw = fields.pop(self.raw_field, None)
        # The rest is read as strictly as any other body.
        rest: dict[str, Any] = decode_object(msgspec.json.encode(fields))
        return rest if raw is None else {**rest, self.raw_field: bytes(raw)}


class RawPayloadParser(RawFieldParser):
    raw_field = "payload"


class RawEventParser(RawFieldParser):
    raw_field = "event"
