"""Middleware that is written once and stands in both doors: Django's own handler, and a web worker's event loop."""

from collections.abc import Callable, Generator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# What a middleware does to a request, then to the response, which it gets from `yield`, and what it returns.
# To answer by itself, it returns before it has yielded.
Passage = Generator[None, HttpResponseBase, HttpResponseBase]


class BothDoors:
    """Takes a request through `passage`, whether what comes next blocks or is awaited."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_awaited = iscoroutinefunction(get_response)
        if self.is_awaited:
            markcoroutinefunction(self)

    def passage(self, request: HttpRequest) -> Passage:
        """See `Passage`. It waits for nothing and asks no database: it runs on the event loop."""
        raise NotImplementedError

    def __call__(self, request: HttpRequest) -> Any:
        return self._answer_awaited(request) if self.is_awaited else self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        passage = self.passage(request)
        try:
            next(passage)
        except StopIteration as end:
            return end.value
        try:
            response = self.get_response(request)
        except BaseException as error:
            passage.throw(error)
            raise
        return _leave(passage, response)

    async def _answer_awaited(self, request: HttpRequest) -> HttpResponseBase:
        passage = self.passage(request)
        try:
            next(passage)
        except StopIteration as end:
            return end.value
        try:
            response = await self.get_response(request)
        except BaseException as error:
            passage.throw(error)
            raise
        return _leave(passage, response)


def _leave(passage: Passage, response: HttpResponseBase) -> HttpResponseBase:
    try:
        passage.send(response)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a passage yields once")
