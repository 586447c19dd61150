"""The OpenAPI document as a test reads it: operations by route, and schemas that a validator takes."""

import functools
from typing import Any, NamedTuple

import jsonschema_rs
from drf_spectacular.generators import SchemaGenerator

PREFIX = "/api/v1"


class Operation(NamedTuple):
    method: str
    template: str
    definition: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    def parameters(self, place: str) -> list[dict[str, Any]]:
        return [each for each in self.definition.get("parameters", ()) if each["in"] == place]

    @property
    def body(self) -> dict[str, Any] | None:
        content = self.definition.get("requestBody", {}).get("content", {})
        return content["application/json"]["schema"] if content else None


@functools.cache
def document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations() -> list[Operation]:
    return [
        Operation(method.upper(), path.removeprefix(PREFIX), definition)
        for path, methods in document()["paths"].items()
        for method, definition in methods.items()
    ]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where it is named."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if len(schema.get("allOf", ())) == 1:
        return {**resolved(schema["allOf"][0]), **{name: value for name, value in schema.items() if name != "allOf"}}
    return schema


@functools.cache
def _components() -> dict[str, Any]:
    return {"schemas": {name: _of_today(each) for name, each in document()["components"]["schemas"].items()}}


def validator_of(schema: dict[str, Any]) -> Any:
    whole = {**_of_today(schema), "components": _components()}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _of_today(schema: Any) -> Any:
    """Put the words of OpenAPI 3.0 into those of JSON Schema: `nullable` is not known there."""
    if isinstance(schema, list):
        return [_of_today(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _of_today(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [told, {"type": "null"}]} if schema.get("nullable") is True else told
