"""The schemas that a stream's payloads are held to, compiled; remembered for less than a second in each process."""

import json
from collections.abc import Mapping
from typing import Final

from accounts.short_memory import ShortMemory
from streams.conf import STREAM_CACHE_SECONDS, STREAM_CACHE_SIZE
from streams.schemas.validator import Validator
from streams.statements import run

Validators = Mapping[str, Validator]
# Schemas never change, so that what was compiled of one is good for as long as it is used.
_MAX_COMPILED: Final = 2_000
_compiled: dict[int, Validator] = {}
_memory: ShortMemory[int, Validators] = ShortMemory(seconds=STREAM_CACHE_SECONDS, size=STREAM_CACHE_SIZE)


def find_validators(stream_id: int) -> Validators:
    """Return the latest schema of each type that a stream has one for, by type."""
    return _memory.get(stream_id, lambda: _load(stream_id))


async def find_validators_async(stream_id: int) -> Validators:
    """Do what `find_validators` does, and let the event loop go on meanwhile."""
    return await _memory.get_async(stream_id, lambda: _load(stream_id))


def forget_schemas() -> None:
    """Drop what this process remembers: a schema was added here."""
    _memory.forget()


def _load(stream_id: int) -> Validators:
    return {
        type_: _compile(schema_id, version, document)
        for schema_id, type_, version, document in run("latest_schemas", stream_id=stream_id)
    }


def _compile(schema_id: int, version: int, document: str) -> Validator:
    known = _compiled.get(schema_id)
    if known is None:
        if len(_compiled) >= _MAX_COMPILED:
            del _compiled[next(iter(_compiled))]
        known = _compiled[schema_id] = Validator(json.loads(document), version=version, schema_id=schema_id)
    return known
