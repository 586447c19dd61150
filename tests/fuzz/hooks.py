"""What schemathesis is told in Python: who asks, what must stay, and which refusals say nothing against the document.

It runs in an environment of its own, without ours: nothing here may need Django.
"""

import json
import os
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from tests.fuzz.reasons import NOT_MADE_WITH_A_STREAM, is_beyond_any_schema
from tests.fuzz.session import Session

# An access token lasts longer, and nobody ends it but its own session.
RENEW_SECONDS = 300
_ANOTHER_SESSION = "0" * 32
_used_keys: set[str] = set()


def session() -> Session | None:
    """The session to ask in, or None for an API key."""
    if "FUZZ_SESSION" not in os.environ:
        return None
    return Session(os.environ["FUZZ_API"], Path(os.environ["FUZZ_SESSION_FILE"]), os.environ["FUZZ_SESSION"])


@schemathesis.auth(refresh_interval=RENEW_SECONDS)
class Ourselves:
    """The person or the key in whose name everything is asked."""

    def get(self, _case: Any, _context: Any) -> dict[str, str]:
        ours = session()
        return {"X-API-Key": os.environ["FUZZ_KEY"]} if ours is None else ours.headers()

    def set(self, case: Any, data: dict[str, str], _context: Any) -> None:
        case.headers.update(data)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Let the session in which everything is asked go on, and every request be a new one."""
    named, headers = case.path_parameters or {}, case.headers or {}
    if named.get("session_id") == os.environ.get("FUZZ_SESSION", ""):
        # It is listed, so the fuzzer finds it and would end it; from then on it would try nothing but that.
        named["session_id"] = _ANOTHER_SESSION
    key = headers.get("Idempotency-Key")
    if key in _used_keys:
        # It likes to take the same, and would be told so instead of anything else.
        headers["Idempotency-Key"] = f"{key}-{len(_used_keys)}"[-255:]
    if key:
        _used_keys.add(headers["Idempotency-Key"])


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep what counts: a request in good form may be refused for the reasons that are listed."""
    if isinstance(failure, EnsureResourceAvailability):
        is_within = problem_of(response)["code"] in NOT_MADE_WITH_A_STREAM
        return not (failure.created_with.endswith("/streams") and is_within)
    if isinstance(failure, RejectedPositiveData):
        return has_good_address(case) and not is_beyond_any_schema(problem_of(response))
    return True


def has_good_address(case: Any) -> bool:
    """Whether numbers are where the address wants them: the id of an event is put there for its partition."""
    named = case.path_parameters or {}
    numbers = [each.name for each in case.operation.path_parameters if each.definition["schema"]["type"] == "integer"]
    return all(str(named.get(name, 0)).isdecimal() for name in numbers)


def problem_of(response: Any) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return {"code": "no_problem_document"}
