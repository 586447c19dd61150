"""One transaction for some work that asks others too, beyond the network: they are asked before it, never inside.

What they are asked follows from the work. So it is begun, and where it comes to a question, it is rolled back, the
question is asked, and it begins anew with the answer: until it comes through. Whoever has remembered the work is found
before anything is asked.

    begin -- a question without an answer --> rolled back -- asked --> begin
      | no (more) questions
      v
    committed
"""

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from django.db import connection, transaction

Returned = TypeVar("Returned")
# A seek to a time asks each of 256 partitions.
MAX_QUESTIONS: Final = 1_000

_answers: ContextVar[dict[Hashable, Any] | None] = ContextVar("asked_before", default=None)


class AskedInTransaction(RuntimeError):
    """Somebody beyond the network is asked while a transaction is open: a fault of whoever wrote it."""


class _NotAskedYet(Exception):
    """The work has come to a question: it is to be asked, and the work to begin anew."""

    def __init__(self, question: Hashable, ask: Callable[[], Any]) -> None:
        super().__init__(question)
        self.question = question
        self.ask = ask


def may_be_asked() -> bool:
    """Whether others may be asked here: outside of transactions, and in one that `in_one_transaction` has begun."""
    return not connection.in_atomic_block or _answers.get() is not None


def outside_of_transactions(question: Hashable, ask: Callable[[], Returned]) -> Returned:
    """Return what `ask` does, which has been done or will be done outside of any transaction.

    Args:
        question: what is asked; the same one is asked once for each transaction.

    Raises:
        AskedInTransaction: it would have to be done inside.
        and whatever `ask` does
    """
    if not connection.in_atomic_block:
        return ask()
    answers = _answers.get()
    if answers is None:
        raise AskedInTransaction(f"nobody beyond the network is asked inside a transaction: {question}")
    if question not in answers:
        raise _NotAskedYet(question, ask)
    answer = answers[question]
    if isinstance(answer, Exception):
        raise answer
    return answer


def in_one_transaction(work: Callable[[], Returned]) -> Returned:
    """Do `work` in a transaction, and return what it returns. It may begin several times, and comes through once."""
    answers: dict[Hashable, Any] = {}
    token = _answers.set(answers)
    try:
        for _ in range(MAX_QUESTIONS):
            try:
                with transaction.atomic():
                    return work()
            except _NotAskedYet as asked:
                answers[asked.question] = _outcome(asked.ask)
        raise AskedInTransaction(f"more than {MAX_QUESTIONS} questions in one transaction")
    finally:
        _answers.reset(token)


def _outcome(ask: Callable[[], Any]) -> Any:
    if connection.in_atomic_block:
        raise AskedInTransaction("the transaction is part of another one")
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - it is the answer: the work says what comes of it
        return error


def require_outside(whom: str) -> None:
    """Refuse to ask somebody beyond the network while a transaction is open.

    Raises:
        AskedInTransaction
    """
    if connection.in_atomic_block:
        raise AskedInTransaction(f"{whom} is not asked inside a transaction")
