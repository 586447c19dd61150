"""One module knows how a stored event looks: nobody else decodes one or looks for a field among its bytes."""

import ast
import re

from tests.conventions.source import nodes_by_module

OWNER = "streams/stored_event.py"
# What a producer sends is another thing than what is stored, although one becomes the other.
KNOWS_ENVELOPES = "streams/envelope.py"
# Fields that only an event has: in a struct they say that somebody decodes one.
FIELDS = {"recorded_at", "payload", "occurred_at", "headers"}
# A field's name in bytes, as a finder would look for it.
NAME = re.compile(rb'"(recorded_at|occurred_at|payload|type|headers|offset)":')


def is_struct(node: ast.ClassDef) -> bool:
    return any(getattr(base, "attr", getattr(base, "id", "")) == "Struct" for base in node.bases)


def test_structs_with_the_fields_of_an_event_stand_in_one_module():
    found = set()
    for name, nodes in nodes_by_module().items():
        for node in nodes:
            if isinstance(node, ast.ClassDef) and is_struct(node):
                fields = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
                if fields & FIELDS:
                    found.add(name)
    assert found == {OWNER, KNOWS_ENVELOPES}


def test_nobody_else_looks_for_a_field_among_the_bytes():
    found = {
        name
        for name, nodes in nodes_by_module().items()
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and NAME.search(node.value)
    }
    assert found == {OWNER}
