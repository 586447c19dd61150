"""What requests are told: of the commit that they shared, or of whether there would be one."""

from collections.abc import Sequence
from typing import Any

import psycopg

from accounts.errors import IdempotencyInProgress
from accounts.latches import open_all
from streams.errors import AppendNotStored, AppendOutcomeUnknown, PartitionGone
from streams.log.commit import ClaimWaits, PartitionsMissing
from streams.log.pending import PendingAppend, StandingQuestion


def let_go(settled: Sequence[PendingAppend]) -> None:
    """Let requests go on that have their outcome; those of one loop with one wake-up. Harmless when they did."""
    open_all(request.latch for request in settled)


def answer_all(questions: Sequence[StandingQuestion], refusal: str | None) -> None:
    """Let those go on that asked whether an append would be stored."""
    for question in questions:
        question.refusal = refusal
    open_all(question.latch for question in questions)


def join_retries(requests: Sequence[PendingAppend]) -> list[PendingAppend]:
    """Let each request whose idempotency key another one has follow the first of them; return the others."""
    first_with: dict[tuple[str, str], PendingAppend] = {}
    leading = []
    for request in requests:
        if request.receipt is not None:
            first = first_with.setdefault((request.receipt.caller, request.receipt.key), request)
            if first is not request:
                first.followers.append(request)
                continue
        leading.append(request)
    return leading


def settle(request: PendingAppend, answer: Any) -> None:
    if isinstance(answer, Exception):
        request.finish(error=answer)
    else:
        request.finish(result=answer)


def is_from_a_dying_server(error: Exception) -> bool:
    """Whether the server reported, as its last words, that it or this connection goes away."""
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(("57P", "08"))


def answer_to(failure: Exception) -> Exception:
    """Return what to tell the one request for which `failure` came; nothing was stored unless it says so."""
    if isinstance(failure, PartitionsMissing):
        return PartitionGone()
    if isinstance(failure, ClaimWaits):
        return IdempotencyInProgress("Another request with this key is being stored; retry in a moment.")
    if isinstance(failure, AppendOutcomeUnknown):
        # One for each: an exception that several threads raise would mix up their tracebacks.
        return AppendOutcomeUnknown()
    if isinstance(failure, (AppendNotStored, psycopg.Error)):
        return AppendNotStored()
    return failure
