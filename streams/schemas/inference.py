"""A first schema, from payloads that are there: what they have in common, to be looked at and made stricter by hand."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from genson import SchemaBuilder

from streams.schemas.document import DIALECT

# A number beyond all is one all the same.
_values: Final = msgspec.json.Decoder(float_hook=float)


def infer_schema(payloads: Iterable[bytes]) -> tuple[dict[str, Any], int]:
    """Return a schema that takes all of the payloads (valid JSON), and how many there are."""
    builder = SchemaBuilder(schema_uri=DIALECT)
    count = 0
    for payload in payloads:
        builder.add_object(_values.decode(payload))
        count += 1
    return dict(builder.to_schema()), count
