"""What an answer means: the outcome contract of docs/architecture.md, as a function."""

from collections.abc import Mapping
from typing import Final

DURABLE: Final = "durable"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"
# Nobody took the connection: as good as a refusal, but nobody has said so.
UNREACHED: Final = "unreached"
OUTCOMES: Final = (DURABLE, REFUSED, UNKNOWN, UNREACHED)

_DURABLE: Final = frozenset({200, 201, 202, 207})
_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 410, 411, 412, 413, 414, 415, 422, 429})


def outcome_of(status: int | None, *, code: str = "", headers: Mapping[str, str] | None = None) -> str:
    """Return what the answer to a request says of its effect; `status` is None where none came.

    A request whose body was never sent whole is not asked about here: it is refused, whatever came back.
    """
    if status in _DURABLE:
        return DURABLE
    if status in _REFUSED or (status == 409 and code != "idempotency_in_progress"):
        return REFUSED
    if status == 503 and (headers or {}).get("EventFlow-Stored") == "no":
        return REFUSED
    return UNKNOWN
