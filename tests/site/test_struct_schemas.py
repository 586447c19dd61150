"""What the OpenAPI document says of the bodies of lease verbs comes from what decodes them."""

from typing import Annotated

import msgspec
import pytest
from drf_spectacular.generators import SchemaGenerator
from msgspec import Meta

from consumers.api.bodies import AckRequest, ExtendRequest, LeaseRequest, NackRequest, ReleaseRequest
from eventflow_site.api.struct_schemas import schema_of

REF = "#/components/schemas/"


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.mark.parametrize(
    ("verb", "struct"),
    [
        ("lease", LeaseRequest),
        ("ack", AckRequest),
        ("nack", NackRequest),
        ("release", ReleaseRequest),
        ("extend", ExtendRequest),
    ],
)
def test_a_lease_verb_says_what_its_struct_takes(document, verb, struct):
    schemas = document["components"]["schemas"]
    operation = document["paths"][f"/api/v1/streams/{{stream}}/consumer-groups/{{group}}/{verb}"]["post"]
    ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert ref == f"{REF}{struct.__name__}Request"

    told = schemas[ref.removeprefix(REF)]
    assert set(told["properties"]) == set(struct.__struct_fields__)
    assert told["additionalProperties"] is False
    if "deliveries" in told["properties"]:
        item = schemas[told["properties"]["deliveries"]["items"]["$ref"].removeprefix(REF)]
        assert {"delivery_id", "lease_token"} <= set(item["properties"])
        assert item["required"] == ["delivery_id", "lease_token"]


class Sample(msgspec.Struct):
    """For the test."""

    name: str
    small: Annotated[int, Meta(le=2**31 - 1)] = 3
    large: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 1
    ratio: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(description="Seconds.")] = None
    names: list[str] = []
    is_last: bool = False


def test_a_schema_of_today_is_put_into_the_words_of_openapi_3_0():
    assert schema_of(msgspec.json.schema_components([Sample])[1]["Sample"]) == {
        "type": "object",
        "description": "For the test.",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "small": {"type": "integer", "maximum": 2**31 - 1, "default": 3},
            "large": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1, "format": "int64", "default": 1},
            "ratio": {"type": "number", "minimum": 0, "format": "double", "nullable": True, "description": "Seconds."},
            "names": {"type": "array", "items": {"type": "string"}},
            "is_last": {"type": "boolean", "default": False},
        },
    }


def test_a_choice_between_types_is_refused_rather_than_told_wrongly():
    with pytest.raises(ValueError, match="null"):
        schema_of({"anyOf": [{"type": "integer"}, {"type": "string"}]})
