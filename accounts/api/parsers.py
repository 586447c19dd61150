from typing import Any

from rest_framework.parsers import BaseParser

from accounts.api.bodies import decode_object, read_body
from accounts.conf import MAX_BODY_BYTES


class StrictJSONParser(BaseParser):
    """The one parser of the API: strict JSON objects, no forms, no multipart."""

    # Any type is let in here, so that `read_body` is the one place that refuses, in our words.
    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return decode_object(read_body(stream, limit=MAX_BODY_BYTES)[1])
