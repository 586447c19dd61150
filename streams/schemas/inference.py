"""A first schema, from payloads that are there: what they have in common, to be looked at and made stricter by hand."""

from collections.abc import Iterable
from typing import Any

from genson import SchemaBuilder

from streams.schemas.document import DIALECT


def infer_schema(payloads: Iterable[Any]) -> dict[str, Any]:
    """Return a schema that takes all of the payloads (decoded JSON)."""
    builder = SchemaBuilder(schema_uri=DIALECT)
    for payload in payloads:
        builder.add_object(payload)
    return dict(builder.to_schema())
