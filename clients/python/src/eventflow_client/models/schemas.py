"""Schemas of events, what would come of one, and proposals."""

from datetime import datetime
from typing import Any

import msgspec


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the schema of a type of events.

    Attributes:
        raw_schema: its JSON as it was given; `schema` is the same in Python's own types.
        compatibility: what a further version has to keep: `none`, `backward`, `forward` or `full`.
        refused_count, marked_count: payloads that did not fit it, and were refused, or stored with a mark.
    """

    type: str
    version: int
    raw_schema: msgspec.Raw = msgspec.field(name="schema")
    compatibility: str
    created_at: datetime
    created_by: str
    refused_count: int = 0
    marked_count: int = 0
    last_invalid_at: datetime | None = None

    @property
    def schema(self) -> Any:
        return msgspec.json.decode(self.raw_schema)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not fit.

    Attributes:
        pointer: a JSON pointer into the event, or into the schema.
        breaks: of a new version: which compatibility it breaks.
    """

    pointer: str
    detail: str
    breaks: str | None = None


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event whose payload does not fit."""

    partition: int
    offset: int
    id: str
    errors: list[Fault]


class SchemaCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of a schema, which was not registered.

    Attributes:
        compared_with: the latest version; None: there is none.
        breaks: where it is not compatible with that.
        ignored: pointers to keywords that mean nothing: perhaps a typo.
        checked_count, invalid_count: stored events that were held to it, and how many of them do not fit.
        invalid: some of those.
    """

    is_compatible: bool = msgspec.field(name="compatible")
    compatibility: str
    compared_with: int | None
    breaks: list[Fault]
    ignored: list[str]
    checked_count: int
    invalid_count: int
    invalid: list[Misfit]


class SchemaProposal(msgspec.Struct, frozen=True, kw_only=True):
    """A first schema for a type, to be made stricter by hand; it takes all events that it was inferred from."""

    type: str
    schema: Any
    event_count: int
