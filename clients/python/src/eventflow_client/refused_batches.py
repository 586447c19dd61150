"""What to do with a batch that was refused: which of its events are to blame, and how the others are sent again."""

import re
from typing import NamedTuple

from .errors import Problem
from .problems import PayloadTooLarge

_ITEM = re.compile(r"/(\d+)(/.*)?")


class AfterRefusal(NamedTuple):
    """
    Attributes:
        failed: events by their place in the batch, each with its own problem.
        again: batches to send anew, one after another, each with a key of its own.
    """

    failed: dict[int, Problem]
    again: list[list[int]]


def blame(problem: Problem, sent: list[int]) -> AfterRefusal:
    """Say which of the events that were sent together have failed, and which are sent again.

    Args:
        sent: the events of the request, in its order, by their place in the batch.

    Where the problem names none, all of them have failed, with the very problem that was given.
    """
    if not problem.may_be_stored:
        named = _named(problem, len(sent))
        if named and len(sent) > 1:
            failed = {sent[index]: _alone(problem, index) for index in named}
            rest = [place for place in sent if place not in failed]
            return AfterRefusal(failed, [rest] if rest else [])
        if isinstance(problem, PayloadTooLarge) and len(sent) > 1:
            half = len(sent) // 2
            return AfterRefusal({}, [sent[:half], sent[half:]])
    return AfterRefusal(dict.fromkeys(sent, problem), [])


def _named(problem: Problem, count: int) -> set[int]:
    found = (_ITEM.fullmatch(each.pointer) for each in problem.errors)
    return {int(match[1]) for match in found if match and int(match[1]) < count}


def _alone(problem: Problem, index: int) -> Problem:
    """The same problem as it would be if the event had been sent alone: pointers lead into the event."""
    own = []
    for each in problem.errors:
        match = _ITEM.fullmatch(each.pointer)
        if match and int(match[1]) == index:
            own.append(each._replace(pointer=match[2] or ""))
    return type(problem)(
        code=problem.code,
        status=problem.status,
        title=problem.title,
        detail=own[0].detail,
        request_id=problem.request_id,
        is_retryable=problem.is_retryable,
        retry_after=problem.retry_after,
        errors=own,
        members=problem.members,
    )
