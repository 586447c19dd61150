"""The OpenAPI document says of everything that may be sent what it may be: no text without its letters or its length,
no number without its bounds."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conventions.openapi import Operation, document, operations, resolved
from tests.conventions.test_admins_keys_table import EXPECTED
from tests.conventions.test_permission_table import OPEN

# What may be anything, and why.
ANYTHING_GOES = {
    "payload": "any JSON value",
    "schema": "a JSON Schema, which the service reads",
    "event": "an event as a poll gave it, whatever that was",
    "error": "any text, of which the beginning is kept",
    "If-Match": "lists of versions, whatever they are",
    "If-None-Match": "lists of versions, whatever they are",
    "traceparent": "what names no trace is left alone, as the standard has it",
    "Prefer": "wishes, of which others than ours are left alone (RFC 7240)",
    "application/x-ndjson": "lines, each of them JSON",
}
SAYS_ENOUGH = {"string": ({"enum"}, {"pattern"}, {"format"}, {"maxLength"}), "boolean": (set(),)}
SAYS_ENOUGH |= {"integer": ({"minimum", "maximum"}, {"enum"}), "number": ({"minimum", "maximum"},)}
SAYS_ENOUGH |= {"array": ({"items", "maxItems"},), "object": ({"properties"}, {"maxProperties"})}


def vague_in(schema: dict[str, Any], place: str) -> Iterator[str]:
    """Places whose schema does not say enough."""
    if place.rpartition(" ")[2].rpartition("/")[2] in ANYTHING_GOES:
        return
    schema = resolved(schema)
    if variants := schema.get("oneOf" if "type" not in schema else "", schema.get("anyOf", ())):
        for variant in variants:
            yield from vague_in(variant, place)
        return
    if not any(words <= set(schema) for words in SAYS_ENOUGH.get(schema.get("type", ""), ())):
        yield f"{place}: {schema}"
    for name, inner in schema.get("properties", {}).items():
        yield from vague_in(inner, f"{place}/{name}")
    if "items" in schema:
        yield from vague_in(schema["items"], f"{place}/*")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from vague_in(schema["additionalProperties"], f"{place}/*")


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_an_operation_says_what_may_be_sent(operation: Operation):
    vague: list[str] = []
    for parameter in operation.definition.get("parameters", ()):
        vague += vague_in(parameter["schema"], parameter["name"])
    if operation.body is not None:
        vague += vague_in(operation.body, "body")
    assert vague == []


def test_every_parameter_of_a_query_and_every_header_is_explained():
    silent = [
        f"{operation} {each['name']}"
        for operation in operations()
        for each in (*operation.parameters("query"), *operation.parameters("header"))
        if not each.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_an_operation_says_whether_a_key_will_do(operation: Operation):
    """An admin's key with every scope may do whatever a key may."""
    if (operation.method, operation.template) in OPEN:
        assert "security" not in operation.definition
        return
    is_for_keys = EXPECTED[operation.method, operation.template]["root"] != "403"
    credentials = ["accessToken", "apiKey"] if is_for_keys else ["accessToken"]
    assert operation.definition["security"] == [{each: []} for each in credentials]


def test_no_object_that_is_sent_takes_fields_which_it_does_not_name():
    schemas = document()["components"]["schemas"]
    sent = {name: each for name, each in schemas.items() if name.endswith("Request") and "properties" in each}
    assert len(sent) > 30
    assert [name for name, each in sent.items() if each["additionalProperties"] is not False] == []


def test_a_post_that_takes_an_idempotency_key_says_so():
    taken = [
        operation
        for operation in operations()
        if "Idempotency-Key" in {each["name"] for each in operation.parameters("header")}
    ]
    assert {each.method for each in taken} == {"POST"}
    left_out = {each.template for each in operations() if each.method == "POST"} - {each.template for each in taken}
    group = "/streams/{stream}/consumer-groups/{group}"
    assert left_out == {
        # They make a session or end one.
        *("/auth/login", "/auth/refresh", "/auth/logout", "/auth/password"),
        # A token makes each of them harmless the second time; a lease whose answer was lost comes again.
        *(f"{group}/{verb}" for verb in ("lease", "ack", "nack", "extend", "release")),
        # They change nothing.
        *("/streams/{stream}/schemas/check", "/streams/{stream}/schemas/infer"),
    }


def test_what_needs_an_event_says_that_retention_may_have_taken_it():
    told = {each.definition["operationId"] for each in operations() if "410" in each.definition["responses"]}
    assert told == {"get_event", "erase_event", "report_dead_letter", "redrive_dead_letter"}
