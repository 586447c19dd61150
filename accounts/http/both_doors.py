"""Middleware that is written once and stands in both doors: Django's own handler, and a web worker's event loop."""

from collections.abc import Callable, Generator, Iterable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# What a middleware does to a request, then to the response, which it gets from `yield`, and what it returns.
# To answer by itself, it returns before it has yielded.
Passage = Generator[None, HttpResponseBase, HttpResponseBase]


class BothDoors:
    """Takes a request through `passage`: by itself in Django's handler, with all others by `enter` and `leave`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def passage(self, request: HttpRequest) -> Passage:
        """See `Passage`. It waits for nothing and asks no database: it runs on the event loop."""
        raise NotImplementedError

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        passages: list[Passage] = []
        response = enter(passages, [self], request)
        if response is not None:
            return response
        try:
            response = self.get_response(request)
        except BaseException as error:
            break_off(passages, error)
            raise
        return leave(passages.pop(), response)


def enter(passages: list[Passage], middleware: Iterable[BothDoors], request: HttpRequest) -> HttpResponseBase | None:
    """Take a request in through one after the other, each added to `passages`, until one answers by itself.

    Returns its answer, or None where the request has come through all of them.
    """
    for each in middleware:
        passage = each.passage(request)
        try:
            next(passage)
        except StopIteration as end:
            answer: HttpResponseBase = end.value
            return answer
        passages.append(passage)
    return None


def leave(passage: Passage, response: HttpResponseBase) -> HttpResponseBase:
    """Take a response out through one; returns what it made of it."""
    try:
        passage.send(response)
    except StopIteration as end:
        answer: HttpResponseBase = end.value
        return answer
    raise RuntimeError("a passage yields once")


def break_off(passages: list[Passage], error: BaseException) -> None:
    """Tell all that were entered, the last one first, that no response comes."""
    while passages:
        try:
            passages.pop().throw(error)
        except BaseException as raised:  # noqa: BLE001 - whoever calls raises it
            error = raised
