"""Bodies that msgspec decodes, in the OpenAPI document: a view names the struct as its request, and that is all."""

from typing import Any, Final

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

# The document names what is sent apart from what is answered.
_SUFFIX: Final = "Request"
_LARGEST_INT32: Final = 2**31 - 1
# Defaults that say no more than that a field may be left out.
_EMPTY: Final[tuple[Any, ...]] = (None, "", [])


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Makes a component of a struct, and of each that stands in it."""

    target_class = msgspec.Struct
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        name: str = self.target.__name__
        return name

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        ref_template = f"#/components/schemas/{{name}}{_SUFFIX}"
        _, schemas = msgspec.json.schema_components([self.target], ref_template=ref_template)
        own = schemas.pop(self.target.__name__)
        for name, schema in schemas.items():
            inner = ResolvedComponent(  # type: ignore[no-untyped-call]
                f"{name}{_SUFFIX}", ResolvedComponent.SCHEMA, schema_of(schema), name
            )
            auto_schema.registry.register_on_missing(inner)
        return schema_of(own)


def schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema of today in the words of OpenAPI 3.0."""
    told = {name: value for name, value in schema.items() if name != "title" and value != []}
    if "anyOf" in told:
        one, null = told.pop("anyOf")
        if null != {"type": "null"}:
            raise ValueError("of several types only one may be other than null")
        told = {**one, **told, "nullable": True}
    if "default" in told and told["default"] in _EMPTY:
        del told["default"]
    if told.get("type") == "number":
        told["format"] = "double"
    elif told.get("type") == "integer" and told.get("maximum", 0) > _LARGEST_INT32:
        told["format"] = "int64"
    if "items" in told:
        told["items"] = schema_of(told["items"])
    if "properties" in told:
        told["properties"] = {name: schema_of(each) for name, each in told["properties"].items()}
    return told
