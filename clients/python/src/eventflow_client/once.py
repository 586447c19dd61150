"""An attribute that is worked out when somebody asks, and then kept."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator
    """As `functools.cached_property`, without its lock: before Python 3.12 that costs more than reading a payload.

    Two threads that ask at once both work it out, and get equal values.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, found: None, _owner: type) -> Self: ...
    @overload
    def __get__(self, found: object, _owner: type) -> T: ...
    def __get__(self, found: object | None, _owner: type) -> Self | T:
        if found is None:
            return self
        value = found.__dict__[self._name] = self._work(found)
        return value
