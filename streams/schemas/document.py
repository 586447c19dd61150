"""A schema as somebody sends it: whether it may be one, before anything is compiled of it."""

import json
from typing import Any, Final

import jsonschema_rs
import msgspec

from accounts.conf import MAX_FAULTS
from accounts.http.strict_json import exceeds_depth
from streams.conf import MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH
from streams.errors import EventFault, InvalidSchema
from streams.schemas.parts import KNOWN_KEYWORDS, Path, all_parts, pointer_of, resolve
from streams.schemas.weight import TooHeavy, weigh

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# They mean another thing where they stand than what they say, or lead elsewhere.
_NOT_TAKEN: Final = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary")


def check_schema(document: Any) -> str:
    """Return a schema as the JSON text that is kept, if it may be one.

    Raises:
        InvalidSchema: each thing that is wrong is named by a pointer into the schema.
    """
    if not isinstance(document, dict | bool):
        raise InvalidSchema([EventFault("", "expected_object", "A schema is a JSON object, or true or false.")])
    try:
        # What is kept is what was looked at: a number beyond all would be kept as null.
        json.dumps(document, allow_nan=False)
        text = msgspec.json.encode(document)
    except ValueError as error:
        words = "It has a number beyond 1.8e308, or half of a surrogate pair."
        raise InvalidSchema([EventFault("", "invalid", words)]) from error
    if len(text) > MAX_SCHEMA_BYTES:
        raise InvalidSchema([EventFault("", "too_long", f"A schema may have at most {MAX_SCHEMA_BYTES} bytes.")])
    if exceeds_depth(text, MAX_SCHEMA_DEPTH):
        raise InvalidSchema([EventFault("", "too_deep", f"A schema may be nested at most {MAX_SCHEMA_DEPTH} deep.")])
    # First what is wrong by the law of schemas: what follows may rely on its form.
    if faults := _faults_of_form(document) or _faults_of_references(document):
        raise InvalidSchema(faults[:MAX_FAULTS])
    try:
        weigh(document, anchors_of(document))
    except TooHeavy as error:
        raise InvalidSchema([error.fault]) from error
    return text.decode()


def find_ignored(document: Any) -> list[str]:
    """Return pointers to keywords that mean nothing: perhaps a typo, perhaps a note for somebody else."""
    return [
        pointer_of((*part.path, name))
        for part in all_parts(document)
        if isinstance(part.schema, dict)
        for name in part.schema
        if name not in KNOWN_KEYWORDS and not name.startswith("x-")
    ][:MAX_FAULTS]


def anchors_of(document: Any) -> dict[str, Any]:
    """Return the schemas that have a name of their own within the document."""
    return {
        part.schema["$anchor"]: part.schema
        for part in all_parts(document)
        if isinstance(part.schema, dict) and isinstance(part.schema.get("$anchor"), str)
    }


def _faults_of_form(document: Any) -> list[EventFault]:
    if not isinstance(document, dict):
        return []
    faults = []
    if document.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        faults.append(EventFault("/$schema", "unknown_dialect", f"Schemas are of {DIALECT}, or say nothing."))
    for part in all_parts(document):
        if not isinstance(part.schema, dict):
            continue
        faults += [_not_taken((*part.path, name), name) for name in _NOT_TAKEN if name in part.schema]
        if part.path and "$id" in part.schema:
            faults.append(
                EventFault(pointer_of((*part.path, "$id")), "not_supported", "Only the whole schema has an `$id`.")
            )
    if not faults:
        try:
            for error in _META.iter_errors(document):
                faults.append(EventFault(pointer_of(tuple(error.instance_path)), "invalid", error.message[:300]))
                if len(faults) >= MAX_FAULTS:
                    break
        except ValueError as error:
            faults.append(EventFault("", "invalid", str(error)[:300]))
    return faults


def _not_taken(path: Path, name: str) -> EventFault:
    return EventFault(pointer_of(path), "not_supported", f"`{name}` is not supported; `$ref` within the schema is.")


def _faults_of_references(document: Any) -> list[EventFault]:
    faults = []
    anchors = anchors_of(document)
    parts = [part for part in all_parts(document) if isinstance(part.schema, dict)]
    within = {id(part.schema) for part in parts}
    for part in parts:
        reference = part.schema.get("$ref")
        if reference is None:
            continue
        where = pointer_of((*part.path, "$ref"))
        if not reference.startswith("#"):
            detail = "Only references within the schema are followed: they begin with `#`."
            faults.append(EventFault(where, "remote_ref_forbidden", detail))
            continue
        try:
            target = resolve(document, reference, anchors)
        except (LookupError, ValueError):
            faults.append(EventFault(where, "unknown_ref", "There is nothing of that name in the schema."))
            continue
        # What stands elsewhere was looked at by nobody.
        if not isinstance(target, bool) and id(target) not in within:
            faults.append(EventFault(where, "unknown_ref", "What it names is no schema: put it under `$defs`."))
    return faults


_META: Final = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, validate_formats=True)
