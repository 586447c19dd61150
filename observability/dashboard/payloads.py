"""A payload that somebody typed: strictly JSON, and then its own bytes."""

import msgspec

from accounts.errors import TooDeep
from accounts.http.strict_json import check_text, exceeds_depth, explain_decode_error


def parse_payload(text: str) -> bytes:
    """Return the JSON of a text area as it was typed.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, TooDeep: what the API says of the same bytes.
    """
    payload = text.strip().encode("utf-8", "surrogatepass")
    check_text(payload)
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decode_error(error, payload) from error
    if exceeds_depth(payload):
        raise TooDeep("A payload may be nested at most 64 deep.")
    return payload
