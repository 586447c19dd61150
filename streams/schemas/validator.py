"""A compiled schema: holds payloads to it, and says what is wrong with one."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NoReturn

import jsonschema_rs
import msgspec

from accounts.http.strict_json import outside_strings
from streams.conf import MAX_PATTERN_BYTES, MAX_VALIDATION_WORK
from streams.errors import EventFault, InvalidSchema
from streams.schemas.document import anchors_of
from streams.schemas.parts import pointer_of
from streams.schemas.quick import make_quick_decoder
from streams.schemas.weight import weigh

_MAX_DETAIL_CHARACTERS: Final = 300
# What stands for a value in an explanation that would have to quote it, and could be a megabyte of it.
_MASK: Final = "this value"
_TOO_MUCH: Final = (
    "It is too large and too deep to be held to this schema. Send it in smaller events, or simplify the schema."
)
_NUMBER: Final = "It has a number that no schema can look at: beyond 1.8e308."
_values = msgspec.json.Decoder()
# A schema has a name of its own for the schema of lists of what it takes: references within it stay its own.
_ITEM: Final = "urn:eventflow:payload"


class Validator:
    """A schema, compiled: for any number of payloads, in any thread.

    Args:
        document: a schema that `check_schema` let pass.
        version: of the schema, as its stream counts them.
        schema_id: of its row.

    Raises:
        InvalidSchema: it cannot be compiled: a pattern is none, or would be too large.
    """

    __slots__ = (
        "_compiled",
        "_compiled_for_lists",
        "_quick",
        "_quick_bytes",
        "_quick_for_lists",
        "_works",
        "schema_id",
        "version",
    )

    def __init__(self, document: Any, *, version: int, schema_id: int = 0) -> None:
        self.version = version
        self.schema_id = schema_id
        try:
            self._compiled = _compile(document)
            registry = jsonschema_rs.Registry([(_ITEM, document)], retriever=_refuse)
            self._compiled_for_lists = _compile({"type": "array", "items": {"$ref": _ITEM}}, registry=registry)
        except jsonschema_rs.ValidationError as error:
            where = pointer_of(tuple(error.instance_path))
            raise InvalidSchema([EventFault(where, "invalid", error.message[:_MAX_DETAIL_CHARACTERS])]) from error
        self._quick = make_quick_decoder(document)
        self._quick_for_lists = self._quick and msgspec.json.Decoder(list[self._quick.type])  # type: ignore[name-defined]
        self._works = weigh(document, anchors_of(document))
        # Shorter payloads have not so many values that anybody need count them.
        self._quick_bytes = MAX_VALIDATION_WORK // self._works[-1]

    def accepts(self, payload: bytes) -> bool:
        """Whether a payload (valid JSON) is as the schema wants it."""
        if len(payload) > self._quick_bytes and self._is_too_much(payload):
            return False
        if _decodes(self._quick, payload):
            return True
        try:
            return self._compiled.is_valid(_values.decode(payload))
        except (msgspec.DecodeError, ValueError):
            return False

    def surely_accepts_all(self, payloads: Sequence[bytes]) -> bool:
        """Whether all of the payloads are as the schema wants them, told at once: half the work for many small ones.

        False says nothing of any of them.
        """
        joined = b"[%b]" % b",".join(payloads)
        if len(joined) > self._quick_bytes:
            return False
        if _decodes(self._quick_for_lists, joined):
            return True
        try:
            return self._compiled_for_lists.is_valid(_values.decode(joined))
        except (msgspec.DecodeError, ValueError):
            return False

    def find_faults(self, payload: bytes, *, pointer: str, limit: int) -> list[EventFault]:
        """Return what is wrong with a payload, at most so much of it.

        Args:
            pointer: where the payload stands.
        """
        if len(payload) > self._quick_bytes and self._is_too_much(payload):
            return [self._fault(pointer, _TOO_MUCH)]
        try:
            value = _values.decode(payload)
        except msgspec.DecodeError:
            return [self._fault(pointer, _NUMBER)]
        return [
            self._fault(pointer + pointer_of(tuple(error.instance_path)), error.message)
            for error in islice(self._compiled.iter_errors(value), limit)
        ]

    def _fault(self, pointer: str, detail: str) -> EventFault:
        return EventFault(pointer, "schema", detail[:_MAX_DETAIL_CHARACTERS], schema_version=self.version)

    def _is_too_much(self, payload: bytes) -> bool:
        openers = outside_strings(payload, keep=b"[{,")
        values = len(openers) + 1
        depth = min(len(openers.replace(b",", b"")), len(self._works) - 1)
        return values * self._works[depth] > MAX_VALIDATION_WORK


def _decodes(decoder: msgspec.json.Decoder[Any] | None, text: bytes) -> bool:
    if decoder is None:
        return False
    try:
        decoder.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _compile(document: Any, **options: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        document,
        validate_formats=True,
        mask=_MASK,
        # It would fetch what the schema names, from anywhere.
        retriever=_refuse,
        # Without backtracking: the time that a text takes grows with its length, and with nothing else.
        pattern_options=jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=16 * MAX_PATTERN_BYTES),
        **options,
    )


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"Only references within the schema are followed, not {uri}.")
