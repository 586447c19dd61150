"""Dying at one statement, as a process does that is killed: what was committed stays, and nothing more is said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


class Died(BaseException):
    """The process is gone."""


@contextmanager
def dying(*, before_statement: int) -> Iterator[Callable[[], bool]]:
    """Die before this thread's statement of that number, from 0, and at every one after it; yields whether it has."""
    count = -1

    def execute(do: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count >= before_statement:
            raise Died
        return do(*arguments)

    try:
        with connection.execute_wrapper(execute):
            yield lambda: count >= before_statement
    except Died:
        # Its transaction ends with it.
        connection.close()
